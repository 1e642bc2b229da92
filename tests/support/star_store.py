"""A store with one row of facts: the stars of one library."""

from __future__ import annotations

from advisor.facts import reading, writing
from advisor.measure import whole_store

NAME = "own/lib"
ABOUT = {"repository": NAME, "source": "test", "retrieved_at": "2024-06-01"}
STARS = [{**ABOUT, "day": "2024-05-31", "metric": "stars", "value": 3.0}]


def build_store(path, rows=STARS):
    writing.write_rows(path, "counts", NAME, rows)
    return path


def measure_whole(path):
    whole_store.measure_store(opened := reading.open_store(path), [opened.as_of])
