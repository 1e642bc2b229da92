"""Write facts from the months with enough events: threads, stars, releases, pushes.

Each kind uses only the last unbroken run of months, because a gap hides what was closed in it. Commits come
from the git history, which has all of them; since October 2025 push events name no commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from advisor.collect.gharchive.capture import Capture
from advisor.domain.identities import load_identities
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
responses AS (
    SELECT e.repository, e.number, min(said_at) AS said_at
    FROM events AS e JOIN threads AS t USING (repository, number)
    WHERE said_at IS NOT NULL AND said_at < $end AND e.actor <> t.author AND NOT regexp_matches(e.actor, $bot)
    GROUP BY ALL
)
SELECT repository, CASE WHEN is_change_request THEN 'change_request' ELSE 'issue' END AS kind, number,
       strftime(opened_at, $f) AS opened_at, strftime(closed_at, $f) AS closed_at,
       strftime(merged_at, $f) AS merged_at,
       CASE WHEN opened_at >= $responses_from THEN strftime(said_at, $f) END AS first_response_at,
       association AS author_association, coalesce(regexp_matches(author, $bot), false) AS is_bot,
       opened_at >= $responses_from AS responses_seen
FROM threads LEFT JOIN responses USING (repository, number) WHERE opened_at >= $start ORDER BY ALL
"""
_STARS = """
WITH base AS (
    SELECT repository, arg_max(value, day) AS value, max(day) AS since
    FROM star_totals WHERE day < $start GROUP BY ALL
),
weeks AS (SELECT unnest(generate_series($start::DATE + 6, $last::DATE, INTERVAL 7 DAY))::DATE AS day)
SELECT b.repository, strftime(w.day, '%Y-%m-%d') AS day, 'stars' AS metric, b.value + count(e.id) AS value,
       'the last total before, plus the stars given since; stars taken back are not subtracted' AS definition
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


def find_last_run(captures: Sequence[Capture], *types: str) -> tuple[date, date] | None:
    """Return the last unbroken run of months with enough events of all these types.

    Returns:
        (first day, day after the last); None if no month has enough.
    """
    counts: dict[date, int] = {}
    for capture in captures:
        if capture.type in types and capture.is_enough:
            counts[capture.month] = counts.get(capture.month, 0) + 1
    months = sorted(month for month, n in counts.items() if n == len(types))
    if not months:
        return None
    first = months[-1]
    for month in reversed(months[:-1]):
        if _next_month(month) != first:
            break
        first = month
    return first, _next_month(months[-1])


def _next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def write_facts(db: Any, store: Path, captures: Sequence[Capture], source: str) -> dict[str, int]:
    """Write the facts of the months with enough events; they replace those of an earlier import.

    Args:
        db: a connection from `capture.open_events`.
        store: folder of facts.
        captures: from `capture.measure_captures`.
        source: the source of the rows.

    Returns:
        kind of fact → number of rows.
    """
    row_counts: dict[str, int] = {}
    bot = f"(?i){load_identities().machine_logins()}"
    threads = find_last_run(captures, "IssuesEvent", "PullRequestEvent")
    if threads:
        comment_run = find_last_run(captures, "IssuesEvent", "PullRequestEvent", "IssueCommentEvent")
        responses_from = comment_run[0] if comment_run and comment_run[1] == threads[1] else threads[1]
        parameters = {
            "start": threads[0],
            "end": threads[1],
            "responses_from": responses_from,
            "bot": bot,
            "f": "%Y-%m-%d %H:%M:%S",
        }
        _write_rows(db, store, "threads", _THREADS, parameters, threads[1], source, row_counts)
    if stars := find_last_run(captures, "WatchEvent"):
        parameters = {"start": stars[0], "last": stars[1] - timedelta(days=1)}
        _write_rows(db, store, "counts", _STARS, parameters, stars[1], source, row_counts, "-stars")
    for table, kind, sql, part in (
        ("releases", "ReleaseEvent", _RELEASES, ""),
        ("counts", "PushEvent", _PUSHES, "-pushes"),
    ):
        if run := find_last_run(captures, kind):
            _write_rows(
                db, store, table, sql, {"start": run[0], "end": run[1]}, run[1], source, row_counts, part
            )
    return row_counts


def _write_rows(
    db: Any,
    store: Path,
    table: str,
    sql: str,
    parameters: dict[str, Any],
    end: date,
    source: str,
    row_counts: dict[str, int],
    part: str = "",
) -> None:
    """Write the rows of a query per repository, as retrieved on the last day of the run."""
    about = {"source": source, "retrieved_at": (end - timedelta(days=1)).isoformat()}
    result = db.execute(sql, parameters)
    names = [d[0] for d in result.description]
    rows_by_repository: dict[str, list[dict[str, Any]]] = {}
    while rows := result.fetchmany(10_000):
        for row in rows:
            rows_by_repository.setdefault(row[0], []).append({**dict(zip(names, row, strict=True)), **about})
    for repository, facts in rows_by_repository.items():
        writing.write_rows(store, table, repository, facts, part=PART + part)
    row_counts[table + part] = sum(map(len, rows_by_repository.values()))
