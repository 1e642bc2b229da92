"""The complete SQL of a metric: one row for every requested repository, also for those without facts.

The same text runs on every engine. It reads the as-of views and three tables:

- ``requested_repositories``: key (the repository's name in the views), repository, as_of;
- ``figures``: the answers of the metrics' queries (see `figures_sql`);
- ``read_on``: repository, and for each of the ``DATED_TABLES`` the day on which its rows were last read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from advisor.facts.database import quote, table_sql
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

# The answers of the metrics' own queries; repositories without an answer have no row.
_REQUEST_COLUMNS = {"as_of", "status"}
FIGURE_COLUMNS: Mapping[str, str] = {n: kind for n, kind in COLUMNS.items() if n not in _REQUEST_COLUMNS}


def fill_in_parameters(metric: Metric, day: date) -> str:
    """Return a metric's query with its parameters filled in."""
    window = "NULL" if metric.window_days is None else str(int(metric.window_days))
    return metric.sql.replace("$as_of", f"DATE '{day.isoformat()}'").replace("$window_days", window)


def figures_sql(metric: Metric, day: date) -> str:
    """Return SQL with the columns of ``FIGURE_COLUMNS``: what a metric's query knows, as of the last day of the views."""
    number, word = ("NULL", "value") if metric.unit == "status" else ("value", "NULL")
    values = {"metric": quote(metric.name), "value": number, "word": word}
    selection = ", ".join(
        f"CAST({values.get(name, name)} AS {kind}) AS {name}" for name, kind in FIGURE_COLUMNS.items()
    )
    return f"SELECT {selection} FROM ({fill_in_parameters(metric, day)}) AS answer"


def measurements_sql(metrics: Mapping[str, Metric], day: date) -> str:
    """Return SQL with the columns of ``COLUMNS``: a row per metric and row of ``requested_repositories``.

    Planning this for each metric would double the time of planning, so it is one query over all figures.

    Args:
        metrics: metrics whose figures are in the table ``figures``.
        day: last day of the views. If ``as_of`` of a requested repository is earlier, the views show its
            facts shifted to this day (see `one_day.measure_days`).
    """
    shift = f"CAST(date_diff('day', t.as_of, DATE '{day.isoformat()}') AS INTEGER)"
    kinds = {"metric": "VARCHAR", "contents": "VARCHAR", "dated_tables": "VARCHAR"}
    texts = [(name, _name_contents(m), _dated_tables(m)) for name, m in metrics.items()]
    return f"""
    WITH metrics AS ({table_sql(kinds, texts)}),
    requests AS (
        SELECT q.key, q.repository, q.as_of, m.metric, m.contents, {_stale_reason_sql(metrics)} AS stale_reason
        FROM requested_repositories AS q CROSS JOIN metrics AS m LEFT JOIN read_on AS r ON r.repository = q.repository
    ),
    targets AS (
        SELECT repository, as_of, metric, contents, stale_reason, CASE WHEN stale_reason IS NULL THEN key END AS key
        FROM requests
    )
    SELECT t.repository, t.as_of, t.metric,
           CASE WHEN f.value IS NOT NULL OR f.word IS NOT NULL THEN 'measured'
                WHEN f.evidence_share > 0 THEN 'not_applicable' ELSE 'unavailable' END AS status,
           f.value, f.word, f.low, f.high, f.n, coalesce(f.evidence_share, 0) AS evidence_share,
           CASE WHEN array_length(f.sources) > 1 THEN list_sort(f.sources) ELSE f.sources END AS sources,
           f.first_day - {shift} AS first_day, f.last_day - {shift} AS last_day,
           CASE WHEN t.stale_reason IS NOT NULL THEN t.stale_reason
                WHEN f.repository IS NULL THEN 'the facts have no ' || t.contents || ' for it up to ' || CAST(t.as_of AS VARCHAR)
                ELSE coalesce(f.reason, '') END AS reason
    FROM targets AS t LEFT JOIN figures AS f ON f.metric = t.metric AND f.repository = t.key
    """


def _join(words: Sequence[str], conjunction: str) -> str:
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _name_contents(metric: Metric) -> str:
    """Return what a repository without an answer lacks; the totals are of many kinds, so it is the metric's own."""
    if metric.needs == ("counts",):
        return f"value of “{metric.label or metric.title.lower()}”"
    return _join([word for table in metric.needs for word in TABLE_CONTENTS[table]], "or")


def _dated_tables(metric: Metric) -> str:
    return ", ".join(table for table in metric.needs if table in DATED_TABLES)


def _stale_reason_sql(metrics: Mapping[str, Metric]) -> str:
    """Return an expression: the first of a metric's dated tables that is too old for its day, as a reason."""
    cases = []
    for tables in sorted({_dated_tables(metric) for metric in metrics.values()} - {""}):
        for table in tables.split(", "):
            contents = _join(TABLE_CONTENTS[table], "and")
            cases.append(
                f"WHEN m.dated_tables = '{tables}' AND date_diff('day', r.{table}, q.as_of) > {STALE_DAYS}"
                f" THEN 'its {contents} were last collected on ' || CAST(r.{table} AS VARCHAR)"
                " || '; collect them again'"
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
