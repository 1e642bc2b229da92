"""A metric's query made whole: a row for every repository that was asked for, also where nothing is known.

The same text runs on every engine. It names the as-of views, ``asked`` (key: repository as the views name
it; repository; as_of: the day it stands for) and ``read_on`` (repository; for each table of ``DATED`` the
day on which its rows were last read).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from advisor.model import Measurement, Metric

# What was read longer ago than this before the as-of date says nothing about it. Two months, as in the
# cohorts of the back-test.
STALE_DAYS = 62
DATED = ("contributions", "releases", "threads")

COLUMNS: Mapping[str, str] = {
    "repository": "VARCHAR",
    "as_of": "DATE",
    "metric": "VARCHAR",
    "status": "VARCHAR",
    "value": "DOUBLE",
    "word": "VARCHAR",  # the value where it is no number
    "low": "DOUBLE",
    "high": "DOUBLE",
    "n": "BIGINT",
    "evidence_share": "DOUBLE",
    "sources": "VARCHAR[]",
    "first_day": "DATE",
    "last_day": "DATE",
    "reason": "VARCHAR",
}


def query(metric: Metric, day: date) -> str:
    """A metric's own query with its parameters filled in."""
    window = "NULL" if metric.window_days is None else str(int(metric.window_days))
    return metric.sql.replace("$as_of", f"DATE '{day.isoformat()}'").replace("$window_days", window)


def measurement_sql(metric: Metric, day: date) -> str:
    """SQL with the columns of ``COLUMNS``, one row a row of ``asked``.

    Args:
        metric: what to measure.
        day: the end of the views; rows of ``asked`` whose ``as_of`` is earlier were moved up to it.
    """
    moved = f"CAST(date_diff('day', a.as_of, DATE '{day.isoformat()}') AS INTEGER)"
    number, word = ("NULL", "m.value") if metric.unit == "status" else ("m.value", "NULL")
    tables = " and ".join(metric.needs)
    return f"""
    WITH asked_of AS (
        SELECT a.key, a.repository, a.as_of, {_stale(metric)} AS stale
        FROM asked AS a LEFT JOIN read_on AS r ON r.repository = a.repository
    ),
    stands AS (SELECT repository, as_of, stale, CASE WHEN stale IS NULL THEN key END AS key FROM asked_of)
    SELECT a.repository, a.as_of, '{metric.name}' AS metric,
           CASE WHEN m.value IS NOT NULL THEN 'measured' WHEN m.evidence_share > 0 THEN 'not_applicable'
                ELSE 'unavailable' END AS status,
           CAST({number} AS DOUBLE) AS value, CAST({word} AS VARCHAR) AS word,
           CAST(m.low AS DOUBLE) AS low, CAST(m.high AS DOUBLE) AS high, CAST(m.n AS BIGINT) AS n,
           coalesce(CAST(m.evidence_share AS DOUBLE), 0) AS evidence_share,
           CAST(CASE WHEN array_length(m.sources) > 1 THEN list_sort(m.sources) ELSE m.sources END AS VARCHAR[]) AS sources,
           CAST(m.first_day AS DATE) - {moved} AS first_day, CAST(m.last_day AS DATE) - {moved} AS last_day,
           CASE WHEN a.stale IS NOT NULL THEN a.stale
                WHEN m.repository IS NULL THEN 'no rows for it in {tables} by ' || CAST(a.as_of AS VARCHAR)
                ELSE coalesce(CAST(m.reason AS VARCHAR), '') END AS reason
    FROM stands AS a LEFT JOIN ({query(metric, day)}) AS m ON m.repository = a.key
    """


def _stale(metric: Metric) -> str:
    cases = " ".join(
        f"WHEN date_diff('day', r.{table}, a.as_of) > {STALE_DAYS} THEN 'its {table} were last read on '"
        f" || CAST(r.{table} AS VARCHAR) || '; collect it again'"
        for table in metric.needs
        if table in DATED
    )
    return f"CASE {cases} END" if cases else "CAST(NULL AS VARCHAR)"


def read_on_sql() -> str:
    """SQL of ``read_on`` over the whole tables ``all_…``."""
    each = " UNION ALL ".join(
        f"SELECT repository, '{table}' AS name, max(retrieved_at) AS day FROM all_{table} GROUP BY repository"
        for table in DATED
    )
    days = ", ".join(f"max(CASE WHEN name = '{table}' THEN day END) AS {table}" for table in DATED)
    return f"SELECT repository, {days} FROM ({each}) AS reads GROUP BY repository"


def measurement(row: Mapping[str, Any]) -> Measurement:
    """A row of these columns as the noun."""
    return Measurement(
        row["repository"],
        row["metric"],
        row["status"],
        value=row["value"] if row["word"] is None else row["word"],
        low=row["low"],
        high=row["high"],
        n=row["n"],
        evidence_share=row["evidence_share"],
        sources=tuple(row["sources"] or ()),
        first_day=row["first_day"],
        last_day=row["last_day"],
        reason=row["reason"],
    )
