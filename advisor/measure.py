"""Run metrics over the as-of views: each query once, over all repositories and, if asked, many days."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from advisor import facts
from advisor.domain import load_organisations
from advisor.errors import FactsError
from advisor.metrics import METRICS
from advisor.model import Measurement, Metric, Status
from advisor.population import load_population
from advisor.tables import TABLES, as_of_view, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    import duckdb

DAYS_AT_ONCE = 12  # bounds the memory of measure_over
# What was read longer ago than this before the as-of date says nothing about it. Two months, as in the
# cohorts of the back-test.
STALE_DAYS = 62
_DATED_BY_READING = ("contributions", "releases", "threads")


def measure(
    store: facts.Store,
    repositories: Sequence[str],
    as_of: date,
    metrics: Mapping[str, Metric] = METRICS,
) -> tuple[dict[str, dict[str, Measurement]], list[facts.Damage]]:
    """Measure repositories as of a day.

    Returns:
        repository → metric → measurement, one of each for every repository whose files are sound;
        and what is wrong with the files of the others.

    Raises:
        FactsError: a file agrees with its hash and is still not readable.
    """
    import duckdb

    damages = facts.verify(store, repositories)
    damaged = {d.repository for d in damages}
    sound = [r for r in repositories if r not in damaged]
    found: dict[str, dict[str, Measurement]] = {r: {} for r in sound}
    try:
        with connect(store, sound, as_of) as db:
            read_on = _read_on(db)
            for metric in metrics.values():
                rows = _run(db, metric, as_of)
                for repository in sound:
                    stale = _stale(repository, metric, as_of, read_on)
                    found[repository][metric.name] = stale or _measurement(
                        repository, metric, rows.get(repository), as_of
                    )
    except duckdb.IOException as error:
        raise FactsError(f"a file of {store.path} cannot be read: {error}") from None
    return found, damages


def measure_over(
    store: facts.Store,
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
        read_on = _read_on(db)
        for start in range(0, len(days), DAYS_AT_ONCE):
            part = days[start : start + DAYS_AT_ONCE]
            _lay_over_each_other(db, part, common)
            rows = {metric.name: _run(db, metric, common) for metric in metrics.values()}
            for day in part:
                found[day] = {
                    r: {
                        m.name: _stale(r, m, day, read_on) or _of_day(r, m, rows[m.name], day, common)
                        for m in metrics.values()
                    }
                    for r in repositories
                }
            progress(len(found))
    return found


def _lay_over_each_other(db: Any, days: Sequence[date], common: date) -> None:
    db.execute("CREATE OR REPLACE TEMP TABLE grid AS SELECT unnest($1::DATE[]) AS grid_day", [list(days)])
    moved = f"(DATE '{common.isoformat()}' - grid_day)::INTEGER"
    for table in TABLES:
        named = "SELECT * REPLACE (repository || '@' || grid_day AS repository)"
        seen = as_of_view(table, f"({named} FROM all_{table} CROSS JOIN grid)", "grid_day")
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


def _of_day(
    repository: str, metric: Metric, rows: Mapping[str, dict[str, Any]], day: date, common: date
) -> Measurement:
    measured = _measurement(repository, metric, rows.get(f"{repository}@{day.isoformat()}"), day)
    back = common - day
    return replace(
        measured,
        first_day=measured.first_day and measured.first_day - back,
        last_day=measured.last_day and measured.last_day - back,
    )


def connect(store: facts.Store, repositories: Sequence[str], as_of: date) -> duckdb.DuckDBPyConnection:
    """The as-of views, and beside them what is known of organisations.

    ``backers`` (owner on GitHub in lower case, organisation, backer_vendor: the name under which it
    publishes models) and ``organisation_domains`` (domain, organisation). ``population`` (figure, percent,
    value): percentiles of the reference population.
    """
    db = facts.connect(store, repositories, as_of)
    known = load_organisations()
    owners = [(owner.lower(), key, o.vendor) for key, o in known.items() for owner in o.github]
    domains = [(domain, key) for key, o in known.items() for domain in o.domains]
    db.execute("CREATE TEMP TABLE backers (owner VARCHAR, organisation VARCHAR, backer_vendor VARCHAR)")
    db.execute("CREATE TEMP TABLE organisation_domains (domain VARCHAR, organisation VARCHAR)")
    db.execute("CREATE TEMP TABLE population (figure VARCHAR, percent INTEGER, value DOUBLE)")
    population = load_population()
    places = population.listed.places() if population else []
    for table, rows in (("backers", owners), ("organisation_domains", domains), ("population", places)):
        if rows:
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return db


def _run(db: Any, metric: Metric, as_of: date) -> dict[str, dict[str, Any]]:
    given = {"as_of": as_of, "window_days": metric.window_days}
    result = db.execute(metric.sql, {k: v for k, v in given.items() if f"${k}" in metric.sql})
    names = [d[0] for d in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {row["repository"]: row for row in rows}


def _read_on(db: Any) -> dict[tuple[str, str], date]:
    """(table, repository) → the last day on which the source of its rows was read."""
    return {
        (table, repository): day
        for table in _DATED_BY_READING
        for repository, day in db.execute(
            f"SELECT repository, max(retrieved_at) FROM all_{table} GROUP BY repository"
        ).fetchall()
        if day is not None
    }


def _stale(
    repository: str, metric: Metric, as_of: date, read_on: Mapping[tuple[str, str], date]
) -> Measurement | None:
    """What to say instead of a value where a table was read too long before the as-of date."""
    for table in metric.needs:
        day = read_on.get((table, repository), as_of)
        if (as_of - day).days > STALE_DAYS:
            reason = f"its {table} were last read on {day}; collect it again"
            return Measurement(repository, metric.name, "unavailable", reason=reason)
    return None


def _measurement(repository: str, metric: Metric, row: Mapping[str, Any] | None, as_of: date) -> Measurement:
    if row is None:
        tables = " and ".join(metric.needs)
        reason = f"no rows for it in {tables} by {as_of}"
        return Measurement(repository, metric.name, "unavailable", reason=reason)
    value = row["value"]
    is_word = metric.unit == "status"
    without: Status = "not_applicable" if row["evidence_share"] else "unavailable"
    return Measurement(
        repository,
        metric.name,
        without if value is None else "measured",
        value=value if value is None or is_word else float(value),
        low=_number(row["low"]),
        high=_number(row["high"]),
        n=None if row["n"] is None else int(row["n"]),
        evidence_share=float(row["evidence_share"]),
        sources=tuple(sorted(row["sources"])),
        first_day=row["first_day"],
        last_day=row["last_day"],
        reason=row["reason"] or "",
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
