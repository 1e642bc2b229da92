"""Measure a store after facts were collected, so that `advisor rank` does not have to."""

from __future__ import annotations

import sys
from pathlib import Path

# Larger stores are measured range by range into Parquet, as by `advisor measure`, for `advisor rank --all`.
MOST_IN_MEMORY = 300
# One file also keeps the outlooks, without which a page of 800 candidates reads all facts: 34 MB for 800.
MOST_IN_ONE_FILE = 1000


def measure_facts(store: Path) -> None:
    """Measure all repositories of a store; a damaged store gives a line on stderr."""
    from advisor.errors import FactsError
    from advisor.facts import reading
    from advisor.measure.cache import write_measurement_cache

    try:
        facts = reading.open_store(store)
        if len(facts.files) > MOST_IN_MEMORY:
            from advisor.measure.whole_store import measure_store

            measure_store(facts, [facts.as_of])
        if len(facts.files) <= MOST_IN_ONE_FILE:
            write_measurement_cache(facts)
    except FactsError as error:
        print(f"advisor: {error}", file=sys.stderr)
