"""What follows a collection: measure the store, so that `advisor rank` does not have to."""

from __future__ import annotations

import sys
from pathlib import Path

# Of more repositories than this the measurements go into Parquet, range by range (`advisor measure`).
MEASURED_WHOLE = 300


def keep_measurements(store: Path) -> None:
    """Measure now, so that `advisor rank` need not."""
    from advisor.errors import FactsError
    from advisor.facts import reading
    from advisor.measure.cache import keep_measurements

    try:
        opened = reading.open_store(store)
        if len(opened.files) > MEASURED_WHOLE:
            from advisor.measure.whole_store import measure_store

            measure_store(opened, [opened.as_of])
        else:
            keep_measurements(opened)
    except FactsError as error:
        print(f"advisor: {error}", file=sys.stderr)
