"""What became of the candidates of a contest: commits, releases, users, and their order by these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from advisor.facts.facts_view import FactsView
from advisor.population.library import Library

YEAR = 365
FEWEST_COMMITS = 12  # in the year before the day, for a ratio or a collapse to mean something
COLLAPSE = 0.2
MAX_LIST_DAYS = 130  # figures of a list that are older do not describe a day
ENDS = ("unmaintained", "deprecated", "archived", "gone")
MEASURES = ("commits", "commit_ratio", "releases", "download_gain", "star_gain")
"""What orders the candidates; each counts the same."""


@dataclass(frozen=True)
class ContestOutcome:
    """What became of a candidate by the day of the outcome.

    Attributes:
        source: ``history``: its commits and releases are from its history; ``lists``: from public lists,
            which also count bots and merges.
        commits_before: commits by people in the year before the day of the question.
        commits: the same in the year before the day of the outcome.
        commit_ratio: the ratio of both; None if there were under 12 before.
        releases: days with a stable release in the year before the day of the outcome.
        download_gain: downloads a month on the day of the outcome, less those on the day of the question.
        star_gain: the same for stars.
        is_abandoned: no commit by a person in that year, or a declared end.
        is_collapsed: in that year less than a fifth of the commits before.
        mean_place: over all measures, the share of the other candidates that did better, 0 to 1.
        position: 1 for the winner; the abandoned and the collapsed come last.
    """

    repository: str
    source: str
    commits_before: float | None
    commits: float | None
    releases: float | None
    download_gain: float | None = None
    star_gain: float | None = None
    is_abandoned: bool = False
    is_collapsed: bool = False
    mean_place: float = 1.0
    position: int = 0

    @property
    def commit_ratio(self) -> float | None:
        """The commits as a multiple of those before."""
        if self.commits is None or self.commits_before is None or self.commits_before < FEWEST_COMMITS:
            return None
        return self.commits / self.commits_before

    @property
    def has_failed(self) -> bool:
        """Whether it is abandoned or collapsed."""
        return self.is_abandoned or self.is_collapsed


Lists = Mapping[str, Library]
"""Repository in lower case → the figures of public lists about it."""


def read_outcomes(
    candidates: Sequence[str], view: FactsView, day: date, then: Lists, later: Lists
) -> list[ContestOutcome]:
    """Return what became of the candidates of which something is known, the winner first.

    Args:
        candidates: repositories.
        view: their histories as of the day of the outcome.
        day: the day of the question.
        then: what public lists said on the day of the question.
        later: what they said on the day of the outcome.

    Raises:
        FactsError: the histories cannot be read.
    """
    histories = _read_histories(view, day)
    outcomes = []
    for name in candidates:
        old, new = then.get(name.lower()), _usable(later.get(name.lower()), view.as_of)
        outcome = histories.get(name.lower()) or _outcome_of_lists(name, old, new, view.as_of)
        if outcome is not None:
            outcomes.append(_judge(_add_gains(replace(outcome, repository=name), old, new)))
    return order(outcomes)


def order(outcomes: Sequence[ContestOutcome]) -> list[ContestOutcome]:
    """Return the outcomes with their places, the winner first; equal places: more commits first."""
    columns = [_places([getattr(o, measure) for o in outcomes]) for measure in MEASURES]
    ordered_outcomes = []
    for row, outcome in enumerate(outcomes):
        known = [place for column in columns if (place := column[row]) is not None]
        ordered_outcomes.append(replace(outcome, mean_place=sum(known) / len(known) if known else 1.0))
    ordered_outcomes.sort(
        key=lambda o: (o.has_failed, round(o.mean_place, 9), -(o.commits or 0), o.repository.lower())
    )
    return [replace(outcome, position=i) for i, outcome in enumerate(ordered_outcomes, 1)]


def _places(values: Sequence[float | None]) -> list[float | None]:
    """Return for each value the share of the other known values that are higher; equal ones count half."""
    known = [value for value in values if value is not None]
    if len(known) <= 1:  # a place needs another one
        return [None] * len(values)
    return [
        None
        if value is None
        else (sum(v > value for v in known) + (known.count(value) - 1) / 2) / (len(known) - 1)
        for value in values
    ]


def _read_histories(view: FactsView, day: date) -> dict[str, ContestOutcome]:
    if not view.repositories:
        return {}
    rows = view.connection.execute(_SQL, {"day": day, "end": view.as_of, "ends": list(ENDS)}).fetchall()
    return {
        str(name).lower(): ContestOutcome(name, "history", before, commits, releases, is_abandoned=is_ended)
        for name, before, commits, releases, is_ended in rows
    }


_SQL = f"""
WITH work AS (
    SELECT repository,
           coalesce(sum(commits) FILTER (day > $day - {YEAR} AND day <= $day), 0)::DOUBLE AS before,
           coalesce(sum(commits) FILTER (day > $end - {YEAR}), 0)::DOUBLE AS commits
    FROM contributions WHERE NOT is_bot GROUP BY repository
), tags AS (
    SELECT repository, count(DISTINCT released_on)::DOUBLE AS releases
    FROM releases WHERE NOT is_prerelease AND released_on > $end - {YEAR} GROUP BY repository
), states AS (
    SELECT repository, arg_max(declared_status, observed_on) AS state
    FROM repositories WHERE declared_status IS NOT NULL GROUP BY repository
)
SELECT repository, before, commits, coalesce(releases, 0), coalesce(list_contains($ends, state), false)
FROM work LEFT JOIN tags USING (repository) LEFT JOIN states USING (repository) ORDER BY repository
"""


def _outcome_of_lists(
    name: str, then: Library | None, later: Library | None, end: date
) -> ContestOutcome | None:
    if later is None or later.last_commit is None:
        return None
    return ContestOutcome(
        name,
        "lists",
        commits_before=then.changes.get(("commits", YEAR)) if then else None,
        commits=later.changes.get(("commits", YEAR)),
        releases=later.changes.get(("releases", YEAR)),
        is_abandoned=later.last_commit <= end - timedelta(days=YEAR),
    )


def _usable(library: Library | None, day: date) -> Library | None:
    return library if library and library.day > day - timedelta(days=MAX_LIST_DAYS) else None


def _add_gains(outcome: ContestOutcome, then: Library | None, later: Library | None) -> ContestOutcome:
    if then is None or later is None:
        return outcome
    pairs = ((then.downloads_pypi, later.downloads_pypi), (then.downloads, later.downloads))
    downloads = next((float(b - a) for a, b in pairs if a is not None and b is not None), None)
    stars = None if then.stars is None or later.stars is None else float(later.stars - then.stars)
    return replace(outcome, download_gain=downloads, star_gain=stars)


def _judge(outcome: ContestOutcome) -> ContestOutcome:
    ratio = outcome.commit_ratio
    return replace(
        outcome,
        is_abandoned=outcome.is_abandoned or outcome.commits == 0,
        is_collapsed=ratio is not None and ratio < COLLAPSE,
    )
