"""Run metrics over the as-of views: one query per metric for all repositories, on one or many days."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from advisor.domain.organisations import load_organisations
from advisor.domain.percentiles import load_percentiles
from advisor.facts import reading
from advisor.facts.database import table_sql
from advisor.facts.facts_view import FactsView
from advisor.facts.tables import TABLES, columns
from advisor.facts.views import as_of_view
from advisor.measure.sql import FIGURE_COLUMNS, figures_sql, measurement_of_row, measurements_sql, read_on_sql
from advisor.metrics import METRICS
from advisor.metrics.shared.views import derived_views
from advisor.model import Measurement, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import duckdb

# Tables that every engine has beside the as-of views: table → column → type.
LOOKUP_TABLES: Mapping[str, Mapping[str, str]] = {
    "backers": {"owner": "VARCHAR", "organisation": "VARCHAR", "backer_vendor": "VARCHAR"},
    "organisation_domains": {"domain": "VARCHAR", "organisation": "VARCHAR"},
    "percentiles": {"figure": "VARCHAR", "percent": "INTEGER", "value": "DOUBLE"},
}
FEWEST_READERS = 8  # metrics that read a table from which on the rows of all stacked days are in memory
DAYS_PER_STACK, REPOSITORIES_PER_STACK = 12, 240  # limit the memory of measure_days


def measure_view(
    facts: FactsView, metrics: Mapping[str, Metric] = METRICS
) -> dict[str, dict[str, Measurement]]:
    """Measure the intact repositories of a view as of its day: repository → metric → measurement.

    Raises:
        FactsError: a file matches its hash but cannot be read.
    """
    measurements: dict[str, dict[str, Measurement]] = {r: {} for r in facts.intact_repositories}
    db = open_metric_views(facts)
    set_requested_repositories(db, facts.intact_repositories, facts.as_of)
    create_derived_views(db, facts.as_of, metrics)
    for _, measurement in _run_metrics(db, metrics, facts.as_of):
        measurements[measurement.repository][measurement.metric] = measurement
    return measurements


def measure_days(
    facts: FactsView,
    days: Sequence[date],
    metrics: Mapping[str, Metric] = METRICS,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[date, dict[str, dict[str, Measurement]]]:
    """Measure repositories as of many days, with one query per metric for up to twelve days.

    A metric keeps its value if all times and the as-of date move by the same number of days (the tests
    check this law for every metric). So this function stacks the views of several days: it shifts the
    rows of each day to one common day and adds the day to the names of the repositories. The days of a result
    are shifted back, also those in its reason.

    Args:
        facts: the repositories to measure; its last day must not be before the days.
        days: as-of dates.
        metrics: metrics to compute.
        progress: called with the number of days measured so far.

    Returns:
        day → repository → metric → measurement; equal to `measure_view` for each day.
    """
    measurements: dict[date, dict[str, dict[str, Measurement]]] = {}
    if not days:
        return measurements
    common = max(days)
    db = open_metric_views(facts)
    size = min(DAYS_PER_STACK, max(1, REPOSITORIES_PER_STACK // max(1, len(facts.repositories))))
    for start in range(0, len(days), size):
        batch = days[start : start + size]
        _drop_copies(db)
        _stack_days(db, batch, common, metrics)
        set_requested_repositories(db, facts.intact_repositories, common, batch)
        create_derived_views(db, common, metrics)
        for day in batch:
            measurements[day] = {r: {} for r in facts.intact_repositories}
        for day, measurement in _run_metrics(db, metrics, common):
            measurements[day][measurement.repository][measurement.metric] = measurement
        progress(len(measurements))
    reading.set_views(db, facts.as_of)
    create_derived_views(db, facts.as_of, {})
    _drop_copies(db)
    return measurements


def _drop_copies(db: Any) -> None:
    """Free the memory of the rows of stacked days and of derived views."""
    copies = "table_name LIKE 'grid%' OR table_name LIKE 'shared%'"
    for (name,) in db.execute(f"SELECT table_name FROM duckdb_tables() WHERE {copies}").fetchall():
        db.execute(f"DROP TABLE {name}")


def _stack_days(db: Any, days: Sequence[date], common: date, metrics: Mapping[str, Metric]) -> None:
    """Replace the as-of views by those of many days; rows are copied only if many metrics read the table."""
    readers = Counter(
        table
        for metric in metrics.values()
        for table in set(re.findall(r"\b(?:FROM|JOIN) (\w+)", metric.sql))
    )
    grid = table_sql({"grid_day": "DATE"}, [(day,) for day in days])
    db.execute(f"CREATE OR REPLACE TEMP TABLE grid AS {grid}")
    shift = f"(DATE '{common.isoformat()}' - grid_day)::INTEGER"
    for table in TABLES:
        selection = "SELECT * REPLACE (repository || '@' || grid_day AS repository)"
        view = as_of_view(table, f"({selection} FROM all_{table} CROSS JOIN grid)", "grid_day", ", grid_day")
        changes = []
        for name, kind in columns(table).items():
            if kind == "DATE":
                changes.append(f"{name} + {shift} AS {name}")
            elif kind == "TIMESTAMP":
                changes.append(f"{name} + to_days({shift}) AS {name}")
        rows = f"SELECT * EXCLUDE (grid_day) REPLACE ({', '.join(changes)}) FROM ({view})"
        if readers[table] >= FEWEST_READERS:
            db.execute(f"CREATE OR REPLACE TEMP TABLE grid_{table} AS {rows}")
            rows = f"SELECT * FROM grid_{table}"
        db.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {rows}")


def set_requested_repositories(
    db: duckdb.DuckDBPyConnection,
    repositories: Sequence[str],
    as_of: date,
    days: Sequence[date] | None = None,
) -> None:
    """Fill the table of the repositories and days to measure (see `measurements_sql`).

    Args:
        db: from `open_metric_views`.
        repositories: repositories to measure.
        as_of: last day of the views.
        days: the stacked days; None: only ``as_of``.
    """
    kinds = {"key": "VARCHAR", "repository": "VARCHAR", "as_of": "DATE"}
    if days is None:
        rows = [(name, name, as_of) for name in repositories]
    else:
        rows = [(f"{name}@{day}", name, day) for name in repositories for day in days]
    db.execute(f"CREATE OR REPLACE TEMP TABLE requested_repositories AS {table_sql(kinds, rows)}")
    db.execute(f"CREATE OR REPLACE TEMP TABLE read_on AS {read_on_sql()}")


def open_metric_views(facts: FactsView) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the as-of views, the lookup tables and the derived views.

    Lookup tables: ``backers`` (owner on GitHub in lower case, organisation, backer_vendor: its name as a
    publisher of models), ``organisation_domains`` (domain, organisation) and ``percentiles`` (figure,
    percent, value) of the reference population.
    """
    db = facts.connection
    if not db.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'backers'").fetchall():
        create_lookup_tables(db, read_lookup_rows())
        create_derived_views(db, facts.as_of, {})
    return db


def create_lookup_tables(
    db: duckdb.DuckDBPyConnection, lookup_rows: Mapping[str, Sequence[tuple[Any, ...]]]
) -> None:
    """Create and fill the tables of organisations and of the percentiles (see `open_metric_views`)."""
    for table, kinds in LOOKUP_TABLES.items():
        db.execute(f"CREATE TEMP TABLE {table} AS {table_sql(kinds, lookup_rows[table])}")


def read_lookup_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Read the rows of the `LOOKUP_TABLES` from the bundled data."""
    organisations = load_organisations()
    owners: list[tuple[Any, ...]] = [
        (owner.lower(), key, o.vendor) for key, o in organisations.items() for owner in o.github
    ]
    domains: list[tuple[Any, ...]] = [
        (domain, key) for key, o in organisations.items() for domain in o.domains
    ]
    percentiles = load_percentiles()
    places: list[tuple[Any, ...]] = list(percentiles.listed.places()) if percentiles else []
    return {"backers": owners, "organisation_domains": domains, "percentiles": places}


def create_derived_views(db: duckdb.DuckDBPyConnection, as_of: date, metrics: Mapping[str, Metric]) -> None:
    """Create the derived views over the as-of views; those that a metric uses are computed once."""
    for name, text in derived_views(as_of):
        db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {text}")
        if any(name in metric.sql for metric in metrics.values()):
            db.execute(f"CREATE OR REPLACE TEMP TABLE shared_{name} AS {text}")
            db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM shared_{name}")


def fill_figures(
    db: duckdb.DuckDBPyConnection, metrics: Mapping[str, Metric], as_of: date, queries_at_once: int = 1
) -> None:
    """Fill the table ``figures`` with the answers of the metrics' queries (see `measurements_sql`)."""
    columns = ", ".join(f"{name} {kind}" for name, kind in FIGURE_COLUMNS.items())
    db.execute(f"CREATE OR REPLACE TEMP TABLE figures ({columns})")
    queries = [f"({figures_sql(metric, as_of)})" for metric in metrics.values()]
    for start in range(0, len(queries), queries_at_once):
        db.execute(f"INSERT INTO figures {' UNION ALL '.join(queries[start : start + queries_at_once])}")


def _run_metrics(db: Any, metrics: Mapping[str, Metric], as_of: date) -> Iterator[tuple[date, Measurement]]:
    """Yield the day and the measurement of each request, in the order of the metrics."""
    fill_figures(db, metrics, as_of)
    result = db.execute(measurements_sql(metrics, as_of))
    names = [d[0] for d in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    places = {name: place for place, name in enumerate(metrics)}
    for row in sorted(rows, key=lambda row: places[row["metric"]]):
        yield row["as_of"], _move_reason_back(measurement_of_row(row), as_of - row["as_of"])


def _move_reason_back(measurement: Measurement, shift: timedelta) -> Measurement:
    """Return the measurement with the days that its reason names, which stacked facts have shifted.

    The reason of an unavailable measurement names days that are not shifted (see `measurements_sql`).
    """
    if not shift or measurement.status == "unavailable":
        return measurement

    def move(match: re.Match[str]) -> str:
        try:
            return (date.fromisoformat(match[0]) - shift).isoformat()
        except (ValueError, OverflowError):  # digits that are no day
            return match[0]

    return replace(measurement, reason=re.sub(r"\b\d{4}-\d{2}-\d{2}\b", move, measurement.reason))
