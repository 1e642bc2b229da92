"""Estimate the share of events that the archive captured, per month and event type.

The public feed drops events, and since May 2025 most of them. A month with missing events looks like a quiet
month, so it becomes no fact. The events themselves show how many are missing:

- Other events name an issue or change request: is the event of its opening there?
- Issues, change requests and discussions share one counter: how many of the month's numbers are there?
- An event about a thread holds its number of comments: are there as many comment events?
- A push names the last commit of the previous push: is that push there?

Stars and releases are also compared with the facts of other sources in the store. The lowest of these rates
counts, and a month needs a file for nearly all of its hours.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import SnapshotMissing
from advisor.facts import reading
from advisor.facts.database import open_database, parquet_sql
from advisor.facts.store import Store, all_rows_sql

if TYPE_CHECKING:
    import duckdb

MIN_CAPTURE = 0.9
MIN_EVIDENCE = 10
"""Minimum number of expected events for a rate."""
TYPES = (
    "IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "WatchEvent", "ReleaseEvent", "PushEvent",
)  # fmt: skip

_RATES = """
WITH threads AS (
    SELECT repository, is_change_request, number, min(opened_at) AS opened_at,
           bool_or(type = own AND action = 'opened') AS has_opening,
           bool_or(NOT (type = own AND action = 'opened')) AS has_other_event
    FROM (SELECT *, CASE WHEN is_change_request THEN 'PullRequestEvent' ELSE 'IssuesEvent' END AS own
          FROM events)
    WHERE number IS NOT NULL AND opened_at IS NOT NULL GROUP BY ALL
),
openings AS (
    SELECT CASE WHEN is_change_request THEN 'PullRequestEvent' ELSE 'IssuesEvent' END AS type,
           date_trunc('month', opened_at)::DATE AS month,
           count(*) FILTER (has_opening) AS captured, count(*) AS expected,
           'openings of threads that other events name' AS by
    FROM threads WHERE has_other_event GROUP BY ALL
),
number_spans AS (
    SELECT repository, date_trunc('month', opened_at)::DATE AS month, count(*) AS captured,
           max(number) - min(number) + 1 AS expected
    FROM threads WHERE has_opening GROUP BY ALL HAVING count(*) > 1
),
counter AS (
    SELECT unnest(['IssuesEvent', 'PullRequestEvent']) AS type, month, sum(captured) AS captured,
           sum(expected) AS expected, 'numbers of the counter' AS by
    FROM number_spans GROUP BY month
),
comment_counts AS ( -- the event of a new comment holds the count before it
    SELECT date_trunc('month', told_at)::DATE AS month,
           count(DISTINCT id) FILTER (type = 'IssueCommentEvent' AND action = 'created') AS captured,
           max(comments + (type = 'IssueCommentEvent' AND action = 'created')::INTEGER) AS expected
    FROM events WHERE date_trunc('month', opened_at) = date_trunc('month', told_at) AND comments IS NOT NULL
    GROUP BY month, repository, number
),
pushes AS (
    SELECT date_trunc('month', told_at)::DATE AS month,
           before = lag(head) OVER (PARTITION BY repository, ref ORDER BY id) AS is_consecutive
    FROM events WHERE type = 'PushEvent'
),
stars AS (
    SELECT w.repository, m.month, count(*) AS captured
    FROM months AS m JOIN events AS w ON date_trunc('month', w.told_at)::DATE = m.month
    WHERE w.type = 'WatchEvent' GROUP BY ALL
),
star_gains AS (
    SELECT m.month, c.repository,
           arg_max(value, day) FILTER (day < m.month + INTERVAL 1 MONTH)
           - arg_max(value, day) FILTER (day < m.month) AS expected,
           max(day) FILTER (day < m.month + INTERVAL 1 MONTH) >= m.month + INTERVAL 1 MONTH - INTERVAL 8 DAY
           AND max(day) FILTER (day < m.month) >= m.month - INTERVAL 8 DAY AS has_close_totals
    FROM months AS m, star_totals AS c GROUP BY m.month, c.repository
),
rates AS (
    SELECT * FROM openings UNION ALL SELECT * FROM counter
    UNION ALL
    SELECT 'IssueCommentEvent', month, sum(least(captured, expected)), sum(expected), 'counts of comments'
    FROM comment_counts GROUP BY month
    UNION ALL
    SELECT 'PushEvent', month, count(*) FILTER (is_consecutive), count(*),
           'pushes that follow on the previous one'
    FROM pushes WHERE is_consecutive IS NOT NULL GROUP BY month
    UNION ALL
    SELECT 'WatchEvent', g.month, sum(least(coalesce(s.captured, 0), g.expected)), sum(g.expected),
           'stars from other sources'
    FROM star_gains AS g LEFT JOIN stars AS s USING (month, repository)
    WHERE has_close_totals AND g.expected > 0 GROUP BY g.month
    UNION ALL
    SELECT 'ReleaseEvent', date_trunc('month', released_on)::DATE,
           count(*) FILTER (e.tag IS NOT NULL), count(*), 'releases from other sources'
    FROM releases AS r
    LEFT JOIN (SELECT DISTINCT repository, tag FROM events WHERE type = 'ReleaseEvent') AS e
         USING (repository, tag) GROUP BY ALL
)
SELECT f.type, f.month, f.captured::BIGINT, f.expected::BIGINT, f.by FROM rates AS f JOIN months USING (month)
WHERE expected >= $least ORDER BY ALL
"""
_HOURS = """
SELECT month, count(*) / (24.0 * date_diff('day', month, (month + INTERVAL 1 MONTH)::DATE)) AS share
FROM (SELECT date_trunc('month', hour)::DATE AS month FROM hours) GROUP BY month ORDER BY month
"""
# Since 2025-10-07 a pull request's event lacks its author and whether it was merged.
_MONTHS_WITHOUT_MERGES = """
SELECT DISTINCT date_trunc('month', told_at)::DATE FROM events
WHERE type = 'PullRequestEvent' AND opened_at IS NULL
"""


@dataclass(frozen=True)
class Capture:
    """The captured share of one event type in one month.

    Attributes:
        type: event type.
        month: first day of the month.
        rate: lowest captured share, 0 to 1; None: nothing to compare with.
        hours: share of the month's hours with a file, 0 to 1.
        by: the comparison: ``COUNT of TOTAL WHAT``.
        is_enough: whether the month becomes facts.
        why: the reason if it does not.
    """

    type: str
    month: date
    rate: float | None
    hours: float
    by: str
    is_enough: bool
    why: str = ""


def measure_captures(
    db: duckdb.DuckDBPyConnection, minimum: float = MIN_CAPTURE, *, accept_unknown_rate: bool = False
) -> list[Capture]:
    """Return the captured share of every month and event type.

    Args:
        db: a connection from `open_events`.
        minimum: smallest rate, and smallest share of hours, that is enough, 0 to 1.
        accept_unknown_rate: whether a month is enough if its rate is unknown.
    """
    execute = db.execute
    rates: dict[tuple[str, date], tuple[float, str]] = {}
    for kind, month, count, total, basis in execute(_RATES, {"least": MIN_EVIDENCE}).fetchall():
        comparison = (min(1.0, count / total), f"{count} of {total} {basis}")
        rates[kind, month] = min(rates.get((kind, month), comparison), comparison)
    months_without_merges = {month for (month,) in execute(_MONTHS_WITHOUT_MERGES).fetchall()}
    rows = []
    for month, hours in execute(_HOURS).fetchall():
        for kind in TYPES:
            rate: float | None
            rate, evidence = rates.get((kind, month)) or (None, "nothing to compare with")
            reason = ""
            if kind == "PullRequestEvent" and month in months_without_merges:
                reason = "its events do not say whether a change request was merged"
            elif hours < minimum:
                reason = f"only {hours:.0%} of its hours have a file"
            elif rate is None:
                reason = "" if accept_unknown_rate else "there is nothing to compare it with"
            elif rate < minimum:
                reason = f"only {rate:.0%} of its events were captured ({evidence})"
            rows.append(Capture(kind, month, rate, hours, evidence, not reason, reason))
    return rows


def open_events(folder: Path, store: Path, repositories: list[str]) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with ``events``, ``hours``, ``months``, and the store's stars and releases.

    Args:
        folder: rows from `stage_events`.
        store: folder of facts; it need not exist.
        repositories: whose stars and releases to compare.
    """
    from advisor.collect.gharchive.stage import MEMORY, list_hours

    db = open_database(
        [folder, store], {"memory_limit": MEMORY, "temp_directory": os.path.realpath(folder / "spill")}
    )
    # An event that is in two hourly files counts once.
    db.execute(
        f"CREATE TABLE events AS SELECT * FROM {parquet_sql(sorted(folder.glob('*.parquet')))}"
        " QUALIFY row_number() OVER (PARTITION BY id ORDER BY told_at) = 1"
    )
    db.execute("CREATE TABLE hours (hour TIMESTAMP)")
    db.executemany("INSERT INTO hours VALUES (?)", [[hour] for hour in list_hours(folder)])
    db.execute("CREATE TABLE months AS SELECT DISTINCT date_trunc('month', hour)::DATE AS month FROM hours")
    db.execute("CREATE TABLE star_totals (repository VARCHAR, day DATE, value DOUBLE)")
    db.execute("CREATE TABLE releases (repository VARCHAR, tag VARCHAR, released_on DATE)")
    facts = _open_store(store)
    for table, target, query in (
        ("counts", "star_totals", "SELECT repository, day, value FROM {t} WHERE metric = 'stars' AND {ours}"),
        ("releases", "releases", "SELECT DISTINCT repository, tag, released_on FROM {t} WHERE {ours}"),
    ):
        if facts is not None:
            sql = query.format(
                t=f"({all_rows_sql(facts, table, repositories)})", ours="source NOT LIKE '%gharchive%'"
            )
            db.execute(f"INSERT INTO {target} {sql}")
    return db


def _open_store(store: Path) -> Store | None:
    try:
        return reading.open_store(store, may_lack_days=True)
    except SnapshotMissing:
        return None
