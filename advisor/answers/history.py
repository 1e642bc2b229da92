"""The same question over the months: who would have been ranked how, and the facts that charts draw.

One pass over the fact tables for all days (`advisor.measure.one_day.measure_over`), scored and judged as
for a single day. Nothing of a later day is in the answer of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from advisor.answers.question import Question
from advisor.answers.recommend import score_candidate
from advisor.facts import reading
from advisor.measure.one_day import measure_over
from advisor.model import Ranked

MONTHS = 72


@dataclass(frozen=True)
class IssueCount:
    """Dated totals of a repository's issues.

    Attributes:
        closed: number closed; where only a total was known, that total less the open ones, and then
            ``low`` and ``high`` bound it.
    """

    repository: str
    day: date
    open: float | None
    closed: float | None
    low: float | None
    high: float | None
    source: str


@dataclass(frozen=True)
class Release:
    """A release of a repository."""

    repository: str
    tag: str
    day: date
    is_prerelease: bool


@dataclass(frozen=True)
class Support:
    """When a library first supported a model family, by any route but a package's own release.

    Attributes:
        supported: None: not by ``known_until``.
        removed: the day on which the last route ceased; None while one holds.
    """

    repository: str
    family: str
    vendor: str
    released: date
    supported: date | None
    removed: date | None
    known_until: date


@dataclass(frozen=True)
class Timeline:
    """A question answered for many days.

    Attributes:
        days: as-of dates, oldest first: ends of months and, last, the date of the question.
        ranked: repository → one entry a day: scores and findings of the candidate by itself (rank
            and wins are not filled in), None where nothing was known of it then.
        born: repository → day of its first commit, where known.
        issues, releases, support: facts by the last day, by repository and day.
    """

    asked: Question
    days: tuple[date, ...]
    ranked: Mapping[str, tuple[Ranked | None, ...]]
    born: Mapping[str, date]
    issues: tuple[IssueCount, ...]
    releases: tuple[Release, ...]
    support: tuple[Support, ...]


def ends_of_months(first: date, last: date, months: int) -> tuple[date, ...]:
    """The last day itself and, before it, up to ``months`` ends of months from ``first`` on."""
    found = [last]
    day = last.replace(day=1) - timedelta(days=1)
    while day >= first and len(found) <= months:
        found.append(day)
        day = day.replace(day=1) - timedelta(days=1)
    return tuple(reversed(found))


def look_back(
    asked: Question, months: int = MONTHS, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Timeline:
    """Answer a question for the ends of the months up to its date.

    Args:
        asked: from `advisor.answers.question.read_request`.
        months: how far to look back at most; days on which nothing is known are left out.
        progress: called with the number of days done and of all days.

    Raises:
        FactsError: a file agrees with its hash and is still not readable.
    """
    known = set(asked.store.repositories())
    wanted = [c.repository for c in asked.candidates if c.repository in known]
    damaged = {d.repository for d in reading.verify(asked.store, wanted)}
    sound = [r for r in wanted if r not in damaged]
    days = ends_of_months(asked.store.first_day, asked.as_of, months)
    measured = measure_over(asked.store, sound, days, progress=lambda done: progress(done, len(days)))
    ranked: dict[str, list[Ranked | None]] = {r: [] for r in sound}
    for candidate in asked.candidates:
        for day in days if candidate.repository in ranked else ():
            found = measured[day][candidate.repository]
            if day == asked.as_of:  # benches are of the machines at hand now, and have no history here
                found = asked.benched.over(found, candidate.repository)
            seen = any(m.status == "measured" for m in found.values())
            ranked[candidate.repository].append(score_candidate(candidate, found, asked) if seen else None)
    empty = next((i for i in range(len(days)) if any(row[i] for row in ranked.values())), len(days) - 1)
    with reading.connect(asked.store, sound, asked.as_of) as db:
        return Timeline(
            asked=asked,
            days=days[empty:],
            ranked={r: tuple(row[empty:]) for r, row in ranked.items()},
            born=dict(_rows(db, "SELECT repository, min(day) FROM contributions GROUP BY ALL ORDER BY ALL")),
            issues=tuple(IssueCount(*row) for row in _rows(db, _ISSUES)),
            releases=tuple(Release(*row) for row in _rows(db, _RELEASES)),
            support=tuple(Support(*row) for row in _rows(db, _SUPPORT)),
        )


def _rows(db: Any, sql: str) -> list[Any]:
    return list(db.execute(sql).fetchall())


_ISSUES = """
WITH of_day AS (
    SELECT repository, day, string_agg(DISTINCT source, '; ' ORDER BY source) AS source,
           max(value) FILTER (metric = 'open_issues') AS opened,
           max(value) FILTER (metric = 'closed_issues') AS closed,
           max(value) FILTER (metric = 'issues_total') AS whole,
           max(low) FILTER (metric = 'issues_total') AS whole_low,
           max(high) FILTER (metric = 'issues_total') AS whole_high
    FROM counts WHERE metric IN ('open_issues', 'closed_issues', 'issues_total') GROUP BY ALL
)
SELECT repository, day, opened, coalesce(closed, whole - opened),
       CASE WHEN closed IS NULL THEN whole_low - opened END,
       CASE WHEN closed IS NULL THEN whole_high - opened END, source
FROM of_day ORDER BY repository, day
"""

_RELEASES = """
SELECT repository, tag, released_on, is_prerelease FROM releases ORDER BY repository, released_on, tag
"""

_SUPPORT = """
SELECT repository, family, any_value(vendor), min(family_released_on) AS released, min(supported_on),
       CASE WHEN NOT bool_or(supported_on IS NOT NULL AND removed_on IS NULL) THEN max(removed_on) END,
       max(known_until)
FROM model_support WHERE route <> 'package'
GROUP BY repository, family ORDER BY released, family, repository
"""
