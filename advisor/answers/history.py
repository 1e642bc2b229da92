"""One question over the months: each candidate's score at each end of a month, and the facts for charts.

One pass over the fact tables measures all days (`advisor.measure.one_day.measure_days`). The answer of a
day uses no fact of a later day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from advisor.answers.list_figures import add_list_figures
from advisor.answers.question import Question
from advisor.answers.recommend import score_candidate
from advisor.domain.files import data_folder
from advisor.measure.cache import SnapshotMeasurements
from advisor.measure.one_day import measure_days
from advisor.model import Outlook, ScoredCandidate
from advisor.outlook.candidates import compute_past_outlooks
from advisor.outlook.measurements import METRIC, measure_outlooks

MONTHS = 72


@dataclass(frozen=True)
class IssueCount:
    """Totals of a repository's issues on a day.

    Attributes:
        closed_issues: number of closed issues; if a source gives only a total, that total minus the
            open ones, and then ``low`` and ``high`` bound it.
    """

    repository: str
    day: date
    open_issues: float | None
    closed_issues: float | None
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
    """When a library first supported a model family, by any route except a package's own release.

    Attributes:
        supported_on: first day of support; None: no support by ``known_until``.
        removed_on: the day on which the last route ended; None while one exists.
    """

    repository: str
    family: str
    vendor: str
    family_released_on: date
    supported_on: date | None
    removed_on: date | None
    known_until: date


@dataclass(frozen=True)
class Timeline:
    """A question answered for many days.

    Attributes:
        question: what to answer, as of the last day.
        days: as-of dates, the oldest first: ends of months and, last, the date of the question.
        candidates: repository → one entry for each day: the candidate's scores and findings; None where
            nothing was measured then.
        born: repository → day of its first commit.
        issues, releases, support: facts by the last day, by repository and day.
    """

    question: Question
    days: tuple[date, ...]
    candidates: Mapping[str, tuple[ScoredCandidate | None, ...]]
    born: Mapping[str, date]
    issues: tuple[IssueCount, ...]
    releases: tuple[Release, ...]
    support: tuple[Support, ...]


def ends_of_months(first: date, last: date, months: int) -> tuple[date, ...]:
    """Return the last day and, before it, up to ``months`` ends of months, none before ``first``."""
    days = [last]
    day = last.replace(day=1) - timedelta(days=1)
    while day >= first and len(days) <= months:
        days.append(day)
        day = day.replace(day=1) - timedelta(days=1)
    return tuple(reversed(days))


def read_timeline(
    question: Question,
    months: int = MONTHS,
    progress: Callable[[int, int], None] = lambda _count, _total: None,
) -> Timeline:
    """Answer a question for the ends of the months up to its date.

    Args:
        question: from `advisor.answers.question.read_request`.
        months: how many months to go back at most; the first days without any measurement are left out.
        progress: called with the number of days done and of all days.

    Raises:
        FactsError: a file matches its hash but cannot be read.
    """
    facts = question.facts
    days = ends_of_months(facts.store.first_day, facts.as_of, months)
    measurements = measure_days(facts, days, progress=lambda count: progress(count, len(days)))
    # Benchmarks and figures of public lists have no history here: they are of the last day.
    today = SnapshotMeasurements(measurements.pop(facts.as_of), {}, ())
    today = add_list_figures(question, today)
    measurements[facts.as_of] = dict(today.measurements)
    outlooks = _read_outlooks(question, days, today)
    history: dict[str, list[ScoredCandidate | None]] = {r: [] for r in measurements[facts.as_of]}
    for candidate in question.candidates:
        repository = candidate.repository
        for day in days if repository in history else ():
            rows = measurements[day].get(repository, {})
            if day == facts.as_of:
                rows = question.benchmarks.merge_into(rows, repository)
            is_known = any(m.status == "measured" for m in rows.values())
            rows = {**rows, **measure_outlooks(repository, outlooks[day].get(repository, ()))}
            history[repository].append(score_candidate(candidate, rows, question) if is_known else None)
    start = next((i for i in range(len(days)) if any(row[i] for row in history.values())), len(days) - 1)
    db = facts.connection
    return Timeline(
        question=question,
        days=days[start:],
        candidates={r: tuple(row[start:]) for r, row in history.items()},
        # A candidate without a history has only the last day.
        born=dict.fromkeys(history, facts.as_of)
        | dict(_rows(db, "SELECT repository, min(day) FROM contributions GROUP BY ALL ORDER BY ALL")),
        issues=tuple(IssueCount(*row) for row in _rows(db, _ISSUES)),
        releases=tuple(Release(*row) for row in _rows(db, _RELEASES)),
        support=tuple(Support(*row) for row in _rows(db, _SUPPORT)),
    )


def _read_outlooks(
    question: Question, days: Sequence[date], today: SnapshotMeasurements
) -> dict[date, dict[str, tuple[Outlook, ...]]]:
    """Return the outlook of each candidate on each day; {} for each day if no criterion needs it."""
    if not any(s.metric == METRIC.name for c in question.domain.criteria for s in c.scales):
        return {day: {} for day in days}
    past = compute_past_outlooks(question.facts, days, data_folder() / "reference" / "outlook.json")
    outlooks = {day: {name: (o,) for name, o in row.items()} for day, row in past.items()}
    return outlooks | {days[-1]: {**outlooks[days[-1]], **today.outlooks}}


def _rows(db: Any, sql: str) -> list[Any]:
    return list(db.execute(sql).fetchall())


_ISSUES = """
WITH of_day AS (
    SELECT repository, day, string_agg(DISTINCT source, '; ' ORDER BY source) AS source,
           max(value) FILTER (metric = 'open_issues') AS opened,
           max(value) FILTER (metric = 'closed_issues') AS closed,
           max(value) FILTER (metric = 'issues_total') AS total,
           max(low) FILTER (metric = 'issues_total') AS total_low,
           max(high) FILTER (metric = 'issues_total') AS total_high
    FROM counts WHERE metric IN ('open_issues', 'closed_issues', 'issues_total') GROUP BY ALL
)
SELECT repository, day, opened, coalesce(closed, total - opened),
       CASE WHEN closed IS NULL THEN total_low - opened END,
       CASE WHEN closed IS NULL THEN total_high - opened END, source
FROM of_day ORDER BY repository, day
"""

_RELEASES = """
SELECT repository, tag, released_on, is_prerelease FROM releases ORDER BY repository, released_on, tag
"""

_SUPPORT = """
SELECT repository, family, any_value(vendor), min(family_released_on) AS released, min(supported_on),
       CASE WHEN NOT bool_or(supported_on IS NOT NULL AND removed_on IS NULL) THEN max(removed_on) END,
       max(known_until)
FROM model_support WHERE route IN ('main', 'shown')
GROUP BY repository, family ORDER BY released, family, repository
"""
