"""Measure a store after facts were collected, so that `advisor rank` does not have to."""

from __future__ import annotations

import sys
from pathlib import Path

# Larger stores are measured range by range into Parquet, as by `advisor measure`.
MAX_CACHED_REPOSITORIES = 300


def measure_facts(store: Path) -> None:
    """Measure all repositories of a store; a damaged store gives a line on stderr."""
    from advisor.errors import FactsError
    from advisor.facts import reading
    from advisor.measure.cache import write_measurement_cache

    try:
        facts = reading.open_store(store)
        if len(facts.files) > MAX_CACHED_REPOSITORIES:
            from advisor.measure.whole_store import measure_store

            measure_store(facts, [facts.as_of])
        else:
            write_measurement_cache(facts)
    except FactsError as error:
        print(f"advisor: {error}", file=sys.stderr)
