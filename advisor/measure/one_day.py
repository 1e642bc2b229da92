"""Run metrics over the as-of views: each query once, over all repositories and, if asked, many days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.domain.organisations import load_organisations
from advisor.domain.population import load_population
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.facts.tables import TABLES, columns
from advisor.facts.views import as_of_view
from advisor.measure.sql import measurement, measurement_sql, read_on_sql
from advisor.metrics import METRICS
from advisor.metrics.shared.views import derived_views
from advisor.model import Measurement, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    import duckdb

# What stands beside the views of every engine.
KNOWN_BESIDE: Mapping[str, Mapping[str, str]] = {
    "backers": {"owner": "VARCHAR", "organisation": "VARCHAR", "backer_vendor": "VARCHAR"},
    "organisation_domains": {"domain": "VARCHAR", "organisation": "VARCHAR"},
    "population": {"figure": "VARCHAR", "percent": "INTEGER", "value": "DOUBLE"},
}
DAYS_AT_ONCE = 12  # bounds the memory of measure_over


def measure(
    store: Store,
    repositories: Sequence[str],
    as_of: date,
    metrics: Mapping[str, Metric] = METRICS,
) -> tuple[dict[str, dict[str, Measurement]], list[reading.Damage]]:
    """Measure repositories as of a day.

    Returns:
        repository → metric → measurement, one of each for every repository whose files are sound;
        and what is wrong with the files of the others.

    Raises:
        FactsError: a file agrees with its hash and is still not readable.
    """
    damages = reading.verify(store, repositories)
    damaged = {d.repository for d in damages}
    sound = [r for r in repositories if r not in damaged]
    found: dict[str, dict[str, Measurement]] = {r: {} for r in sound}
    with connect(store, sound, as_of) as db:
        ask(db, sound, as_of)
        share(db, as_of, metrics)
        for metric in metrics.values():
            for _, measured in _run(db, metric, as_of):
                found[measured.repository][metric.name] = measured
    return found, damages


def measure_over(
    store: Store,
    repositories: Sequence[str],
    days: Sequence[date],
    metrics: Mapping[str, Metric] = METRICS,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[date, dict[str, dict[str, Measurement]]]:
    """Measure repositories as of many days, each query once for a dozen of them.

    A metric keeps its value when all times and the as-of date move together (a law that the tests
    hold every metric to). So the views of the days are laid over each other, each moved to one
    common day, and its repositories named after the day.

    Args:
        store: the facts; every file that is read must be sound (see `facts.verify`).
        repositories: whom to measure.
        days: as of when.
        metrics: what to measure.
        progress: called with the number of days done so far.

    Returns:
        day → repository → metric → measurement; the same as `measure` for each day.
    """
    found: dict[date, dict[str, dict[str, Measurement]]] = {}
    if not days:
        return found
    common = max(days)
    with connect(store, repositories, common) as db:
        for start in range(0, len(days), DAYS_AT_ONCE):
            part = days[start : start + DAYS_AT_ONCE]
            _lay_over_each_other(db, part, common)
            ask(db, repositories, common, part)
            share(db, common, metrics)
            for day in part:
                found[day] = {r: {} for r in repositories}
            for metric in metrics.values():
                for day, measured in _run(db, metric, common):
                    found[day][measured.repository][metric.name] = measured
            progress(len(found))
    return found


def _lay_over_each_other(db: Any, days: Sequence[date], common: date) -> None:
    db.execute("CREATE OR REPLACE TEMP TABLE grid AS SELECT unnest($1::DATE[]) AS grid_day", [list(days)])
    moved = f"(DATE '{common.isoformat()}' - grid_day)::INTEGER"
    for table in TABLES:
        named = "SELECT * REPLACE (repository || '@' || grid_day AS repository)"
        seen = as_of_view(table, f"({named} FROM all_{table} CROSS JOIN grid)", "grid_day", ", grid_day")
        changes = []
        for name, kind in columns(table).items():
            if kind == "DATE":
                changes.append(f"{name} + {moved} AS {name}")
            elif kind == "TIMESTAMP":
                changes.append(f"{name} + to_days({moved}) AS {name}")
        db.execute(
            f"CREATE OR REPLACE TEMP TABLE grid_{table} AS"
            f" SELECT * EXCLUDE (grid_day) REPLACE ({', '.join(changes)}) FROM ({seen})"
        )
        db.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS SELECT * FROM grid_{table}")


def ask(
    db: duckdb.DuckDBPyConnection,
    repositories: Sequence[str],
    as_of: date,
    days: Sequence[date] | None = None,
) -> None:
    """Say of whom, and as of when, a measurement is wanted (see `measurement_sql`).

    Args:
        db: from `connect`.
        repositories: of whom.
        as_of: the end of the views.
        days: the days that the views are laid over each other for; None: the end of the views alone.
    """
    db.execute("CREATE OR REPLACE TEMP TABLE asked (key VARCHAR, repository VARCHAR, as_of DATE)")
    db.execute(
        "INSERT INTO asked SELECT r || CASE WHEN $3 THEN '@' || d ELSE '' END, r, d"
        " FROM (SELECT unnest($1::VARCHAR[]) AS r), (SELECT unnest($2::DATE[]) AS d)",
        [list(repositories), [as_of] if days is None else list(days), days is not None],
    )
    db.execute(f"CREATE OR REPLACE TEMP TABLE read_on AS {read_on_sql()}")


def connect(store: Store, repositories: Sequence[str], as_of: date) -> duckdb.DuckDBPyConnection:
    """The as-of views, and beside them what is known of organisations.

    ``backers`` (owner on GitHub in lower case, organisation, backer_vendor: the name under which it
    publishes models) and ``organisation_domains`` (domain, organisation). ``population`` (figure, percent,
    value): percentiles of the reference population.
    """
    db = reading.connect(store, repositories, as_of)
    prepare(db, known_beside())
    share(db, as_of, {})
    return db


def prepare(db: duckdb.DuckDBPyConnection, beside: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
    """Lay what is known of organisations and of the population beside the views (see `connect`)."""
    for table, kinds in KNOWN_BESIDE.items():
        listed = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        db.execute(f"CREATE TEMP TABLE {table} ({listed})")
    for table, rows in beside.items():
        if rows:
            lists = ", ".join(f"unnest(${i})" for i in range(1, len(rows[0]) + 1))
            db.execute(
                f"INSERT INTO {table} SELECT {lists}", [list(column) for column in zip(*rows, strict=True)]
            )


def known_beside() -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the tables of `KNOWN_BESIDE`."""
    known = load_organisations()
    owners: list[tuple[Any, ...]] = [
        (owner.lower(), key, o.vendor) for key, o in known.items() for owner in o.github
    ]
    domains: list[tuple[Any, ...]] = [(domain, key) for key, o in known.items() for domain in o.domains]
    population = load_population()
    places: list[tuple[Any, ...]] = list(population.listed.places()) if population else []
    return {"backers": owners, "organisation_domains": domains, "population": places}


def share(db: duckdb.DuckDBPyConnection, as_of: date, metrics: Mapping[str, Metric]) -> None:
    """Set the views over the as-of views; what several of these metrics begin with is worked out once."""
    for name, text in derived_views(as_of):
        db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {text}")
        if any(name in metric.sql for metric in metrics.values()):
            db.execute(f"CREATE OR REPLACE TEMP TABLE shared_{name} AS {text}")
            db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM shared_{name}")


def _run(db: Any, metric: Metric, as_of: date) -> Iterator[tuple[date, Measurement]]:
    result = db.execute(measurement_sql(metric, as_of))
    names = [d[0] for d in result.description]
    for row in result.fetchall():
        named = dict(zip(names, row, strict=True))
        yield named["as_of"], measurement(named)
