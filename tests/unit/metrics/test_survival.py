"""Kaplan-Meier in SQL against a published sample: remission under 6-MP (Freireich et al. 1963).

Medians and bounds as textbooks print them; the metrics' own tests reckon other samples anew in Python.
The SQL of a metric is made when it is imported, so a change in `survival` itself is noticed here alone.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from advisor.metrics.shared import survival

RELAPSED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
STILL_WELL = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
PLACEBO = (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)


@pytest.fixture
def patients():
    base = duckdb.connect()
    base.execute("CREATE TABLE spans (arm VARCHAR, days DOUBLE, happened DOUBLE)")
    for arm, days, happened in (("6-MP", RELAPSED, 1), ("6-MP", STILL_WELL, 0), ("placebo", PLACEBO, 1)):
        base.executemany("INSERT INTO spans VALUES (?, ?, ?)", [(arm, d, happened) for d in days])
    return base


def test_the_medians_of_freireich(patients):
    found = patients.execute(
        f"WITH {survival.medians('arm')} SELECT arm, median, low, high, longest, n, events FROM medians ORDER BY arm"
    ).fetchall()
    assert found == [("6-MP", 23, 13, None, 35, 21, 9), ("placebo", 8, 4, 11, 23, 21, 21)]


def test_the_share_within_ninety_days(patients):
    patients.execute("UPDATE spans SET days = days * 4")  # 22 weeks are past, as 23 are
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


def test_support_is_followed_from_the_release_on():
    base = duckdb.connect()
    base.execute(FAMILIES)
    spans = base.execute(
        f"WITH {survival.support_spans('family_support')} SELECT days, happened FROM followed ORDER BY days"
    ).fetchall()
    assert spans == [(0, 1), (10, 1), (30, 0)]
    query = (
        f"WITH {survival.support_curves()} SELECT median, n, events, sources, first_day, last_day FROM curves"
    )
    median, n, events, sources, first, last = base.execute(query).fetchone()
    assert (median, n, events) == (10, 3, 2)
    assert sorted(sources) == ["x", "y", "z"]
    assert (first, last) == (date(2024, 2, 1), date(2024, 12, 1))
