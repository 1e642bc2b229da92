"""What tests of single metrics share."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.facts import reading, writing
from advisor.measure.one_day import measure
from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


@pytest.fixture
def one(tmp_path):
    """Measures one metric of a repository that has these rows alone."""

    def run(metric, **tables):
        for table, rows in tables.items():
            about = {"repository": "a/b", "source": "hand", "retrieved_at": AS_OF}
            writing.write(tmp_path, table, "a/b", [{**about, **r} for r in rows])
        store = reading.open_store(tmp_path)
        return measure(store, ["a/b"], AS_OF, {metric: METRICS[metric]})[0]["a/b"][metric]

    return run
