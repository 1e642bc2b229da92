"""How much of what happened the archive holds, month by month and type by type.

The public feed drops events, since May 2025 most of them. A month that misses events looks like a month in
which little happened, so no fact is made of it. What there should be is known from within:

- an issue or change request that any other event names was opened: is the event of its opening there?
- issues, change requests and discussions share one counter: how many of the numbers of the month are there?
- an event about a thread says how many comments it has: are there so many events of comments?
- a push names the commit on which the one before it ended;

and from without: stars and releases against what the store knows of them from other sources. The lower of
the rates that can be had counts; and a month must have a file for nearly all of its hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import SnapshotMissing
from advisor.facts import reading
from advisor.facts.store import Store, all_rows_of

if TYPE_CHECKING:
    import duckdb

MIN_CAPTURE = 0.9
MIN_EVIDENCE = 10
"""With fewer things to compare, a rate says nothing."""
TYPES = (
    "IssuesEvent", "PullRequestEvent", "IssueCommentEvent", "WatchEvent", "ReleaseEvent", "PushEvent",
)  # fmt: skip

_RATES = """
WITH threads AS (
    SELECT repository, is_change_request, number, min(opened_at) AS opened_at,
           bool_or(type = own AND action = 'opened') AS is_seen,
           bool_or(NOT (type = own AND action = 'opened')) AS is_met
    FROM (SELECT *, CASE WHEN is_change_request THEN 'PullRequestEvent' ELSE 'IssuesEvent' END AS own
          FROM events)
    WHERE number IS NOT NULL AND opened_at IS NOT NULL GROUP BY ALL
),
met AS (
    SELECT CASE WHEN is_change_request THEN 'PullRequestEvent' ELSE 'IssuesEvent' END AS type,
           date_trunc('month', opened_at)::DATE AS month,
           count(*) FILTER (is_seen) AS seen, count(*) AS known,
           'openings of threads that other events name' AS by
    FROM threads WHERE is_met GROUP BY ALL
),
spans AS (
    SELECT repository, date_trunc('month', opened_at)::DATE AS month, count(*) AS seen,
           max(number) - min(number) + 1 AS known
    FROM threads WHERE is_seen GROUP BY ALL HAVING count(*) > 1
),
counter AS (
    SELECT unnest(['IssuesEvent', 'PullRequestEvent']) AS type, month, sum(seen) AS seen, sum(known) AS known,
           'numbers of the counter' AS by
    FROM spans GROUP BY month
),
talks AS ( -- the count in an event of a new comment is the one before it
    SELECT date_trunc('month', told_at)::DATE AS month,
           count(DISTINCT id) FILTER (type = 'IssueCommentEvent' AND action = 'created') AS seen,
           max(comments + (type = 'IssueCommentEvent' AND action = 'created')::INTEGER) AS known
    FROM events WHERE date_trunc('month', opened_at) = date_trunc('month', told_at) AND comments IS NOT NULL
    GROUP BY month, repository, number
),
links AS (
    SELECT date_trunc('month', told_at)::DATE AS month,
           before = lag(head) OVER (PARTITION BY repository, ref ORDER BY id) AS is_joined
    FROM events WHERE type = 'PushEvent'
),
stars AS (
    SELECT w.repository, m.month, count(*) AS seen
    FROM months AS m JOIN events AS w ON date_trunc('month', w.told_at)::DATE = m.month
    WHERE w.type = 'WatchEvent' GROUP BY ALL
),
gains AS (
    SELECT m.month, c.repository,
           arg_max(value, day) FILTER (day < m.month + INTERVAL 1 MONTH)
           - arg_max(value, day) FILTER (day < m.month) AS known,
           max(day) FILTER (day < m.month + INTERVAL 1 MONTH) >= m.month + INTERVAL 1 MONTH - INTERVAL 8 DAY
           AND max(day) FILTER (day < m.month) >= m.month - INTERVAL 8 DAY AS is_near
    FROM months AS m, counted AS c GROUP BY m.month, c.repository
),
found AS (
    SELECT * FROM met UNION ALL SELECT * FROM counter
    UNION ALL
    SELECT 'IssueCommentEvent', month, sum(least(seen, known)), sum(known), 'counts of comments'
    FROM talks GROUP BY month
    UNION ALL
    SELECT 'PushEvent', month, count(*) FILTER (is_joined), count(*), 'pushes that join on to the one before'
    FROM links WHERE is_joined IS NOT NULL GROUP BY month
    UNION ALL
    SELECT 'WatchEvent', g.month, sum(least(coalesce(s.seen, 0), g.known)), sum(g.known),
           'stars known from elsewhere'
    FROM gains AS g LEFT JOIN stars AS s USING (month, repository)
    WHERE is_near AND g.known > 0 GROUP BY g.month
    UNION ALL
    SELECT 'ReleaseEvent', date_trunc('month', released_on)::DATE,
           count(*) FILTER (e.tag IS NOT NULL), count(*), 'releases known from elsewhere'
    FROM released AS r
    LEFT JOIN (SELECT DISTINCT repository, tag FROM events WHERE type = 'ReleaseEvent') AS e
         USING (repository, tag) GROUP BY ALL
)
SELECT f.type, f.month, f.seen::BIGINT, f.known::BIGINT, f.by FROM found AS f JOIN months USING (month)
WHERE known >= $least ORDER BY ALL
"""
_HOURS = """
SELECT month, count(*) / (24.0 * date_diff('day', month, (month + INTERVAL 1 MONTH)::DATE)) AS share
FROM (SELECT date_trunc('month', hour)::DATE AS month FROM hours) GROUP BY month ORDER BY month
"""
# Since 2025-10-07 a pull request's event says neither who opened it nor whether it was merged.
_CUT = """
SELECT DISTINCT date_trunc('month', told_at)::DATE FROM events
WHERE type = 'PullRequestEvent' AND opened_at IS NULL
"""


@dataclass(frozen=True)
class Capture:
    """How much of a type of event a month holds.

    Attributes:
        month: its first day.
        rate: 0 to 1, the lowest that was found; None: there is nothing to compare with.
        hours: share of the month's hours of which there is a file.
        by: what was compared: ``seen of known, of what``.
        is_enough: whether facts are made of it.
        why: why they are not.
    """

    type: str
    month: date
    rate: float | None
    hours: float
    by: str
    is_enough: bool
    why: str = ""


def captures(
    db: duckdb.DuckDBPyConnection, minimum: float = MIN_CAPTURE, *, takes_unchecked: bool = False
) -> list[Capture]:
    """Judge every month and type of the events.

    Args:
        db: a connection from `connect`.
        minimum: rate below which a month is refused.
        takes_unchecked: whether a month with all its hours passes where nothing can be compared.
    """
    execute = db.execute
    rates: dict[tuple[str, date], tuple[float, str]] = {}
    for kind, month, seen, known, by in execute(_RATES, {"least": MIN_EVIDENCE}).fetchall():
        this = (min(1.0, seen / known), f"{seen} of {known} {by}")
        rates[kind, month] = min(rates.get((kind, month), this), this)
    cut = {month for (month,) in execute(_CUT).fetchall()}
    found = []
    for month, hours in execute(_HOURS).fetchall():
        for kind in TYPES:
            rate: float | None
            rate, by = rates.get((kind, month)) or (None, "nothing to compare with")
            why = ""
            if kind == "PullRequestEvent" and month in cut:
                why = "its events do not say whether a change request was merged"
            elif hours < minimum:
                why = f"only {hours:.0%} of its hours have a file"
            elif rate is None:
                why = "" if takes_unchecked else "there is nothing to compare it with"
            elif rate < minimum:
                why = f"only {rate:.0%} of it was captured ({by})"
            found.append(Capture(kind, month, rate, hours, by, not why, why))
    return found


def connect(staged: Path, store: Path, repositories: list[str]) -> duckdb.DuckDBPyConnection:
    """DuckDB with ``events``, ``hours``, ``months``, and what the store knows of stars and releases."""
    import duckdb

    from advisor.collect.gharchive.stage import MEMORY, hours_in

    db = duckdb.connect(
        config={"threads": 2, "memory_limit": MEMORY, "temp_directory": str(staged / "spill")}
    )
    # An event that lies in two hours counts once.
    db.execute(
        f"CREATE TABLE events AS SELECT * FROM read_parquet('{staged}/*.parquet')"
        " QUALIFY row_number() OVER (PARTITION BY id ORDER BY told_at) = 1"
    )
    db.execute("CREATE TABLE hours (hour TIMESTAMP)")
    db.executemany("INSERT INTO hours VALUES (?)", [[hour] for hour in hours_in(staged)])
    db.execute("CREATE TABLE months AS SELECT DISTINCT date_trunc('month', hour)::DATE AS month FROM hours")
    db.execute("CREATE TABLE counted (repository VARCHAR, day DATE, value DOUBLE)")
    db.execute("CREATE TABLE released (repository VARCHAR, tag VARCHAR, released_on DATE)")
    known = _opened(store)
    for table, into, what in (
        ("counts", "counted", "SELECT repository, day, value FROM {t} WHERE metric = 'stars' AND {ours}"),
        ("releases", "released", "SELECT DISTINCT repository, tag, released_on FROM {t} WHERE {ours}"),
    ):
        if known is not None:
            text = what.format(
                t=f"({all_rows_of(known, table, repositories)})", ours="source NOT LIKE '%gharchive%'"
            )
            db.execute(f"INSERT INTO {into} {text}")
    return db


def _opened(store: Path) -> Store | None:
    try:
        return reading.open_store(store, may_lack_days=True)
    except SnapshotMissing:
        return None
