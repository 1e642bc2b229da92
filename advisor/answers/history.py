"""One question over the months: each candidate's score at each end of a month, and the facts for charts.

One pass over the fact tables measures all days (`advisor.measure.one_day.measure_days`) that are not kept
beside a bundled snapshot. The answer of a day uses no fact of a later day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from advisor.answers import timeline_cache
from advisor.answers.api_breaks import BREAKS_SQL, ReleaseBreaks, build_breaks
from advisor.answers.list_figures import add_list_figures
from advisor.answers.people import PEOPLE_SQL, STAYS_SQL, People, build_people
from advisor.answers.projects import PROJECTS_SQL, Project, build_projects
from advisor.answers.question import Question
from advisor.answers.recipe_counts import RECIPES_SQL, RecipeCount
from advisor.answers.recommend import score_candidate
from advisor.answers.timeline_cache import is_known
from advisor.domain.files import data_folder
from advisor.facts.database import fetch_rows
from advisor.facts.facts_view import FactsView
from advisor.measure import months as kept_months
from advisor.measure.cache import SnapshotMeasurements
from advisor.measure.one_day import measure_days
from advisor.model import Measurement, Outlook, ScoredCandidate
from advisor.outlook.candidates import compute_past_outlooks
from advisor.outlook.measurements import METRIC, add_outlook_metric

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
            nothing was measured then. Before the last day it may lack the open rules, the metrics behind its
            criteria, and measurements that are not in `timeline_cache.SERIES`.
        born: repository → day of its first commit.
        issues, releases, support: facts by the last day, by repository and day.
        projects: repository → what it says about itself by the last day.
        people: repository → the people with the most commits as of the last day.
        recipes: ready-made recipes that are there on the last day.
        breaks: what releases broke by the last day, by repository and day.
    """

    question: Question
    days: tuple[date, ...]
    candidates: Mapping[str, tuple[ScoredCandidate | None, ...]]
    born: Mapping[str, date]
    issues: tuple[IssueCount, ...]
    releases: tuple[Release, ...]
    support: tuple[Support, ...]
    projects: Mapping[str, Project] = field(default_factory=dict)
    people: Mapping[str, People] = field(default_factory=dict)
    recipes: tuple[RecipeCount, ...] = ()
    breaks: tuple[ReleaseBreaks, ...] = ()


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
    today: Mapping[str, Mapping[str, Measurement]] | None = None,
) -> Timeline:
    """Answer a question for the ends of the months up to its date.

    Args:
        question: from `advisor.answers.question.read_request`.
        months: how many months to go back at most; the first days without any measurement are left out.
        progress: called with the number of days done and of all days.
        today: repository → metric → measurement as of the last day, if an answer has them already.

    Raises:
        FactsError: a file matches its hash but cannot be read.
    """
    facts = question.facts
    days = ends_of_months(facts.store.first_day, facts.as_of, months)
    today, past = _score_days(question, days, lambda count: progress(count, len(days)), today)
    history: dict[str, list[ScoredCandidate | None]] = {r: [] for r in today}
    for candidate in question.candidates:
        repository = candidate.repository
        if repository in history:
            rows = question.benchmarks.merge_into(today[repository], repository)
            last = score_candidate(candidate, rows, question) if is_known(rows) else None
            history[repository] = [*(past[day].get(repository) for day in days[:-1]), last]
    progress(len(days), len(days))
    start = next((i for i in range(len(days)) if any(row[i] for row in history.values())), len(days) - 1)
    charts = _read_chart_facts(facts)
    return Timeline(
        question=question,
        days=days[start:],
        candidates={r: tuple(row[start:]) for r, row in history.items()},
        # A candidate without a history has only the last day.
        born=dict.fromkeys(history, facts.as_of) | dict(charts["born"]),
        issues=tuple(IssueCount(*row) for row in charts["issues"]),
        releases=tuple(Release(*row) for row in charts["releases"]),
        support=tuple(Support(*row) for row in charts["support"]),
        projects=build_projects(charts["projects"]),
        people=build_people(charts["people"], charts["stays"]),
        recipes=tuple(RecipeCount(*row) for row in charts["recipes"]),
        breaks=build_breaks(charts["breaks"]),
    )


def _score_days(
    question: Question,
    days: Sequence[date],
    progress: Callable[[int], None],
    today: Mapping[str, Mapping[str, Measurement]] | None,
) -> tuple[Mapping[str, Mapping[str, Measurement]], timeline_cache.Past]:
    """Return the measurements of the last day, and the scores of the days before, kept as far as possible."""
    facts, past_days = question.facts, days[:-1]
    snapshot = None if today else kept_months.read(facts)
    past = timeline_cache.read_scores(question, past_days)
    snapshots = {} if past is not None else kept_months.read_days(facts, past_days)
    missing_days = [] if past is not None else [day for day in past_days if day not in snapshots]
    if today is None and snapshot is None:
        missing_days.append(facts.as_of)
    new_measurements = measure_days(facts, missing_days, progress=progress) if missing_days else {}
    outlooks = _compute_outlooks(question, missing_days)
    snapshots |= {
        day: SnapshotMeasurements(rows, outlooks[day], ()) for day, rows in new_measurements.items()
    }
    if today is None:
        # Benchmarks and figures of public lists have no history here: they are of the last day.
        snapshot = add_list_figures(question, snapshot or snapshots.pop(facts.as_of))
        today = add_outlook_metric(snapshot.measurements, snapshot.outlooks)
    if past is None:
        past = {
            day: {
                c.repository: score_candidate(c, rows, question)
                for c in question.candidates
                if is_known(rows := measurements.get(c.repository, {}))
            }
            for day in past_days
            for measurements in [add_outlook_metric(snapshots[day].measurements, snapshots[day].outlooks)]
        }
    return today, past


def _compute_outlooks(question: Question, days: Sequence[date]) -> dict[date, dict[str, tuple[Outlook, ...]]]:
    """Return the outlook of each candidate on each day; {} for each day if no criterion needs it."""
    if not days or not any(s.metric == METRIC.name for c in question.domain.criteria for s in c.scales):
        return {day: {} for day in days}
    past = compute_past_outlooks(question.facts, days, data_folder() / "reference" / "outlook.json")
    return {day: {name: (outlook,) for name, outlook in row.items()} for day, row in past.items()}


def _read_chart_facts(facts: FactsView) -> dict[str, Any]:
    """Return the rows of the charts by name, kept or read from the facts."""
    content = timeline_cache.read_chart_facts(facts.store) if facts.as_of == facts.store.as_of else None
    if content is None or not _CHARTS.keys() <= content.keys():
        return query_chart_facts(facts)
    names = set(facts.intact_repositories)
    return {
        name: [
            [date.fromisoformat(cell) if at in _DATES[name] and cell else cell for at, cell in enumerate(row)]
            for row in rows
            if row[0] in names
        ]
        for name, rows in content.items()
        if name in _CHARTS
    }


def query_chart_facts(facts: FactsView) -> dict[str, Any]:
    """Return what the charts need of all repositories as rows, by chart."""
    # A literal and no parameter: for a parameter, DuckDB imports pandas.
    as_of = f"DATE '{facts.as_of}'"
    return {
        name: fetch_rows(facts.connection.execute(sql.replace("$as_of", as_of)))
        for name, sql in _CHARTS.items()
    }


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

_CHARTS = {
    "born": "SELECT repository, min(day) FROM contributions GROUP BY ALL ORDER BY ALL",
    "issues": _ISSUES,
    "releases": _RELEASES,
    "support": _SUPPORT,
    "projects": PROJECTS_SQL,
    "people": PEOPLE_SQL,
    "stays": STAYS_SQL,
    "recipes": RECIPES_SQL,
    "breaks": BREAKS_SQL,
}
# Columns with days.
_DATES: dict[str, tuple[int, ...]] = {
    "born": (1,), "issues": (1,), "releases": (2,), "support": (3, 4, 5, 6), "people": (2, 3),
    "projects": (), "stays": (), "recipes": (4,), "breaks": (2,),
}  # fmt: skip
