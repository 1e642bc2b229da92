"""Kaplan-Meier in SQL on a published sample: remission under 6-MP (Freireich et al. 1963).

The expected medians and bounds are those of textbooks. The SQL of a metric is built when its module is
imported, so only these tests notice a change in `survival` itself.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from advisor.metrics.shared import survival

RELAPSES = (6, 6, 6, 7, 10, 13, 16, 22, 23)
CENSORED = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
PLACEBO = (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)


@pytest.fixture
def patients():
    db = duckdb.connect()
    db.execute("CREATE TABLE spans (arm VARCHAR, days DOUBLE, is_event DOUBLE)")
    for arm, days, is_event in (("6-MP", RELAPSES, 1), ("6-MP", CENSORED, 0), ("placebo", PLACEBO, 1)):
        db.executemany("INSERT INTO spans VALUES (?, ?, ?)", [(arm, d, is_event) for d in days])
    return db


def test_the_medians_of_freireich(patients):
    medians = patients.execute(
        f"WITH {survival.medians('arm')} SELECT arm, median, low, high, longest, n, events FROM medians ORDER BY arm"
    ).fetchall()
    assert medians == [("6-MP", 23, 13, None, 35, 21, 9), ("placebo", 8, 4, 11, 23, 21, 21)]


def test_the_share_within_ninety_days(patients):
    patients.execute(
        "UPDATE spans SET days = days * 4"
    )  # the limit of 90 days is after week 22 and before week 23
    within, low, high = patients.execute(
        f"WITH {survival.medians('arm')} SELECT within, within_low, within_high FROM medians WHERE arm = '6-MP'"
    ).fetchone()
    assert within == pytest.approx(1 - 0.5378, abs=5e-5)  # the curve of the textbooks at 22
    assert low < within < high
    assert low > 0
    assert high < 1


FAMILIES = """
CREATE TABLE contributions AS SELECT 'a/b' AS repository, DATE '2024-01-01' AS day;
CREATE TABLE family_support (repository VARCHAR, family_released_on DATE, supported_on DATE, known_until DATE,
                             sources VARCHAR[]);
INSERT INTO family_support VALUES
    ('a/b', '2023-06-01', '2024-02-01', '2024-12-31', ['older than the library']),
    ('a/b', '2024-02-01', '2024-02-11', '2024-12-31', ['x']),
    ('a/b', '2024-03-01', '2024-02-20', '2024-12-31', ['x', 'y']),
    ('a/b', '2024-12-01', NULL, '2024-12-31', ['z']);
"""


def test_spans_of_support_start_at_the_release():
    db = duckdb.connect()
    db.execute(FAMILIES)
    spans = db.execute(
        f"WITH {survival.support_spans('family_support')} SELECT days, is_event FROM family_spans ORDER BY days"
    ).fetchall()
    assert spans == [(0, 1), (10, 1), (30, 0)]
    query = (
        f"WITH {survival.support_curves()} SELECT median, n, events, sources, first_day, last_day FROM curves"
    )
    median, n, events, sources, first, last = db.execute(query).fetchone()
    assert (median, n, events) == (10, 3, 2)
    assert sorted(sources) == ["x", "y", "z"]
    assert (first, last) == (date(2024, 2, 1), date(2024, 12, 1))
