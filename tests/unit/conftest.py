"""Fixtures of the unit tests."""

from __future__ import annotations

from datetime import date

import pytest
from measuring import measure_repositories

from advisor.facts import reading, writing
from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


@pytest.fixture
def measure(tmp_path):
    """Return a function that measures one metric of a repository with only the given rows."""

    def run(metric, as_of=AS_OF, **tables):
        for table, rows in tables.items():
            about = {"repository": "a/b", "source": "hand", "retrieved_at": AS_OF}
            writing.write_rows(tmp_path, table, "a/b", [{**about, **r} for r in rows])
        store = reading.open_store(tmp_path)
        return measure_repositories(store, ["a/b"], as_of, {metric: METRICS[metric]})[0]["a/b"][metric]

    return run
