"""Facts from the months that passed the gate: threads, stars, releases, pushes.

Of each kind only the last unbroken run of months is taken: after a gap nobody knows what was closed in it.
Commits are not taken from pushes: the git history has all of them, and events name none since October 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from advisor.collect.gharchive.gate import Capture
from advisor.collect.git.authors import BOT
from advisor.facts import writing

PART = "gharchive"
_THREADS = """
WITH own AS (
    SELECT *, row_number() OVER (
        PARTITION BY repository, is_change_request, number ORDER BY told_at DESC, id DESC) AS back
    FROM events WHERE type IN ('IssuesEvent', 'PullRequestEvent') AND number IS NOT NULL
        AND action IN ('opened', 'closed', 'reopened') AND told_at < $end
),
threads AS (
    SELECT repository, is_change_request, number, min(opened_at) AS opened_at,
           any_value(author) AS author, any_value(association) AS association,
           max(CASE WHEN back = 1 AND action = 'closed' THEN coalesce(closed_at, told_at) END) AS closed_at,
           max(CASE WHEN back = 1 AND action = 'closed' THEN merged_at END) AS merged_at
    FROM own GROUP BY ALL HAVING bool_or(action = 'opened')
),
said AS (
    SELECT e.repository, e.number, min(said_at) AS said_at
    FROM events AS e JOIN threads AS t USING (repository, number)
    WHERE said_at IS NOT NULL AND said_at < $end AND e.actor <> t.author AND NOT regexp_matches(e.actor, $bot)
    GROUP BY ALL
)
SELECT repository, CASE WHEN is_change_request THEN 'change_request' ELSE 'issue' END AS kind, number,
       strftime(opened_at, $f) AS opened_at, strftime(closed_at, $f) AS closed_at,
       strftime(merged_at, $f) AS merged_at,
       CASE WHEN opened_at >= $heard THEN strftime(said_at, $f) END AS first_response_at,
       association AS author_association, coalesce(regexp_matches(author, $bot), false) AS is_bot,
       opened_at >= $heard AS responses_seen
FROM threads LEFT JOIN said USING (repository, number) WHERE opened_at >= $start ORDER BY ALL
"""
_STARS = """
WITH base AS (
    SELECT repository, arg_max(value, day) AS value, max(day) AS since
    FROM counted WHERE day < $start GROUP BY ALL
),
weeks AS (SELECT unnest(generate_series($start::DATE + 6, $last::DATE, INTERVAL 7 DAY))::DATE AS day)
SELECT b.repository, strftime(w.day, '%Y-%m-%d') AS day, 'stars' AS metric, b.value + count(e.id) AS value,
       'the last total known before, and the stars given since, also those taken back' AS definition
FROM base AS b CROSS JOIN weeks AS w LEFT JOIN events AS e
     ON e.repository = b.repository AND e.type = 'WatchEvent'
     AND e.told_at::DATE > b.since AND e.told_at::DATE <= w.day
WHERE b.since >= $start::DATE - 8 GROUP BY b.repository, w.day, b.value ORDER BY ALL
"""
_PUSHES = """
SELECT repository, strftime(last_day(told_at::DATE), '%Y-%m-%d') AS day, 'pushes' AS metric,
       count(*) AS value, 'pushes to any branch in the calendar month' AS definition
FROM events WHERE type = 'PushEvent' AND told_at >= $start AND told_at < $end GROUP BY ALL ORDER BY ALL
"""
_RELEASES = """
SELECT repository, tag, strftime(min(coalesce(published_at, told_at)), '%Y-%m-%d') AS released_on,
       bool_and(coalesce(is_prerelease, false)) AS is_prerelease
FROM events WHERE type = 'ReleaseEvent' AND tag IS NOT NULL AND told_at >= $start AND told_at < $end
GROUP BY ALL ORDER BY ALL
"""


def last_run(found: Sequence[Capture], *types: str) -> tuple[date, date] | None:
    """(first day, day after the last) of the last unbroken run of months in which all these types pass."""
    good: dict[date, int] = {}
    for capture in found:
        if capture.type in types and capture.is_enough:
            good[capture.month] = good.get(capture.month, 0) + 1
    months = sorted(month for month, n in good.items() if n == len(types))
    if not months:
        return None
    first = months[-1]
    for month in reversed(months[:-1]):
        if _next(month) != first:
            break
        first = month
    return first, _next(months[-1])


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def write_facts(db: Any, store: Path, found: Sequence[Capture], source: str) -> dict[str, int]:
    """Write what passed, in place of what an earlier import wrote.

    Args:
        db: a connection from `gate.connect`.
        store: folder of facts.
        found: what the gate says.
        source: what the rows carry as their source.

    Returns:
        kind of fact → number of rows.
    """
    written: dict[str, int] = {}
    bot = f"(?i){BOT.pattern}"
    threads = last_run(found, "IssuesEvent", "PullRequestEvent")
    if threads:
        heard = last_run(found, "IssuesEvent", "PullRequestEvent", "IssueCommentEvent")
        since = heard[0] if heard and heard[1] == threads[1] else threads[1]
        given = {"start": threads[0], "end": threads[1], "heard": since, "bot": bot, "f": "%Y-%m-%d %H:%M:%S"}
        _write(db, store, "threads", _THREADS, given, threads[1], source, written)
    if stars := last_run(found, "WatchEvent"):
        given = {"start": stars[0], "last": stars[1] - timedelta(days=1)}
        _write(db, store, "counts", _STARS, given, stars[1], source, written, "-stars")
    for table, kind, text, part in (
        ("releases", "ReleaseEvent", _RELEASES, ""),
        ("counts", "PushEvent", _PUSHES, "-pushes"),
    ):
        if run := last_run(found, kind):
            _write(db, store, table, text, {"start": run[0], "end": run[1]}, run[1], source, written, part)
    return written


def _write(
    db: Any,
    store: Path,
    table: str,
    text: str,
    given: dict[str, Any],
    end: date,
    source: str,
    written: dict[str, int],
    part: str = "",
) -> None:
    """Rows of a query, repository by repository; they were read on the last day of the run."""
    about = {"source": source, "retrieved_at": (end - timedelta(days=1)).isoformat()}
    result = db.execute(text, given)
    names = [d[0] for d in result.description]
    of: dict[str, list[dict[str, Any]]] = {}
    while rows := result.fetchmany(10_000):
        for row in rows:
            of.setdefault(row[0], []).append({**dict(zip(names, row, strict=True)), **about})
    for repository, mine in of.items():
        writing.write(store, table, repository, mine, part=PART + part)
    written[table + part] = sum(map(len, of.values()))
