"""The complete SQL of a metric: one row for every requested repository, also for those without facts.

The same text runs on every engine. It reads the as-of views and two tables:

- ``requested_repositories``: key (the repository's name in the views), repository, as_of;
- ``read_on``: repository, and for each of the ``DATED_TABLES`` the day on which its rows were last read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from advisor.facts.tables import STALE_DAYS
from advisor.model import Measurement, Metric
from advisor.texts import replace_controls

# Tables whose rows get stale: they must be read again to describe a later day.
DATED_TABLES = ("contributions", "releases", "threads")
# The content of each table, as a reason names it.
TABLE_CONTENTS: Mapping[str, Sequence[str]] = {
    "repositories": ("declared status",),
    "contributions": ("commits",),
    "co_authorships": (),
    "threads": ("issues", "change requests"),
    "counts": ("totals (such as stars or downloads)",),
    "releases": ("releases",),
    "package_releases": ("versions of a package",),
    "model_support": ("supported model families",),
    "recipes": ("recipes",),
    "api_releases": ("public API of the releases",),
    "api_names": ("public API of the releases",),
    "api_changes": ("public API of the releases",),
    "installs": ("packages that an install brings",),
    "benchmarks": ("benchmarks",),
}

COLUMNS: Mapping[str, str] = {
    "repository": "VARCHAR",
    "as_of": "DATE",
    "metric": "VARCHAR",
    "status": "VARCHAR",
    "value": "DOUBLE",
    "word": "VARCHAR",  # the value, if it is not a number
    "low": "DOUBLE",
    "high": "DOUBLE",
    "n": "BIGINT",
    "evidence_share": "DOUBLE",
    "sources": "VARCHAR[]",
    "first_day": "DATE",
    "last_day": "DATE",
    "reason": "VARCHAR",
}


def fill_in_parameters(metric: Metric, day: date) -> str:
    """Return a metric's query with its parameters filled in."""
    window = "NULL" if metric.window_days is None else str(int(metric.window_days))
    return metric.sql.replace("$as_of", f"DATE '{day.isoformat()}'").replace("$window_days", window)


def measurement_sql(metric: Metric, day: date) -> str:
    """Return SQL with the columns of ``COLUMNS``: one row per row of ``requested_repositories``.

    Args:
        metric: metric to compute.
        day: last day of the views. If ``as_of`` of a requested repository is earlier, the views show its
            facts shifted to this day (see `one_day.measure_days`).
    """
    shift = f"CAST(date_diff('day', t.as_of, DATE '{day.isoformat()}') AS INTEGER)"
    number, word = ("NULL", "m.value") if metric.unit == "status" else ("m.value", "NULL")
    contents = _join([word for table in metric.needs for word in TABLE_CONTENTS[table]], "or")
    return f"""
    WITH requests AS (
        SELECT q.key, q.repository, q.as_of, {_stale_reason_sql(metric)} AS stale_reason
        FROM requested_repositories AS q LEFT JOIN read_on AS r ON r.repository = q.repository
    ),
    targets AS (
        SELECT repository, as_of, stale_reason, CASE WHEN stale_reason IS NULL THEN key END AS key FROM requests
    )
    SELECT t.repository, t.as_of, '{metric.name}' AS metric,
           CASE WHEN m.value IS NOT NULL THEN 'measured' WHEN m.evidence_share > 0 THEN 'not_applicable'
                ELSE 'unavailable' END AS status,
           CAST({number} AS DOUBLE) AS value, CAST({word} AS VARCHAR) AS word,
           CAST(m.low AS DOUBLE) AS low, CAST(m.high AS DOUBLE) AS high, CAST(m.n AS BIGINT) AS n,
           coalesce(CAST(m.evidence_share AS DOUBLE), 0) AS evidence_share,
           CAST(CASE WHEN array_length(m.sources) > 1 THEN list_sort(m.sources) ELSE m.sources END AS VARCHAR[]) AS sources,
           CAST(m.first_day AS DATE) - {shift} AS first_day, CAST(m.last_day AS DATE) - {shift} AS last_day,
           CASE WHEN t.stale_reason IS NOT NULL THEN t.stale_reason
                WHEN m.repository IS NULL THEN 'the facts have no {contents} for it up to ' || CAST(t.as_of AS VARCHAR)
                ELSE coalesce(CAST(m.reason AS VARCHAR), '') END AS reason
    FROM targets AS t LEFT JOIN ({fill_in_parameters(metric, day)}) AS m ON m.repository = t.key
    """


def _join(words: Sequence[str], conjunction: str) -> str:
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _stale_reason_sql(metric: Metric) -> str:
    cases = []
    for table in metric.needs:
        if table in DATED_TABLES:
            contents = _join(TABLE_CONTENTS[table], "and")
            cases.append(
                f"WHEN date_diff('day', r.{table}, q.as_of) > {STALE_DAYS} THEN 'its {contents} were last"
                f" collected on ' || CAST(r.{table} AS VARCHAR) || '; collect them again'"
            )
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"


def read_on_sql() -> str:
    """Return SQL of ``read_on`` over the complete tables ``all_…``."""
    reads = " UNION ALL ".join(
        f"SELECT repository, '{table}' AS name, max(retrieved_at) AS day FROM all_{table} GROUP BY repository"
        for table in DATED_TABLES
    )
    days = ", ".join(f"max(CASE WHEN name = '{table}' THEN day END) AS {table}" for table in DATED_TABLES)
    return f"SELECT repository, {days} FROM ({reads}) AS reads GROUP BY repository"


def measurement_of_row(row: Mapping[str, Any]) -> Measurement:
    """Return the `Measurement` of a row with the columns of ``COLUMNS``."""
    return Measurement(
        row["repository"],
        row["metric"],
        row["status"],
        value=row["value"] if row["word"] is None else replace_controls(row["word"]),
        low=row["low"],
        high=row["high"],
        n=row["n"],
        evidence_share=row["evidence_share"],
        sources=tuple(map(replace_controls, row["sources"] or ())),
        first_day=row["first_day"],
        last_day=row["last_day"],
        reason=replace_controls(row["reason"]),
    )
