"""Back-test advice in public contests: the advice of a past day against what became of each candidate."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from advisor.answers.any_question import read_any_request
from advisor.answers.backtest.figures import bootstrap, wilson
from advisor.answers.backtest.outcomes import ContestOutcome, read_outcomes
from advisor.answers.backtest.selection import Share
from advisor.answers.question import ANY_LIBRARIES, Question, Request
from advisor.answers.recommend import recommend
from advisor.domain.contests import Contest, load_contests
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.facts import reading
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.model import Recommendation
from advisor.outlook.model import digest
from advisor.population.library import Library
from advisor.population.reading import read_libraries

YEARS = 2  # between the question and the outcome
HORIZON = 12 * YEARS
DRAWS = 10_000
ADVISOR = "advisor"
BY_CHANCE = "random"
CHOOSERS = (ADVISOR, "best outlook", "most stars", "most contributors", BY_CHANCE)
FACTS, LISTS = "facts", "lists"


@dataclass(frozen=True)
class Entry:
    """A candidate of a contest: what was known on the day, and what became of it.

    Attributes:
        rank, score: by advisor; None: not ranked.
        is_excluded: whether a rule excluded it.
        chance: of abandonment within 24 months, by trees that did not see it; None: no outlook.
        stars, contributors: by public lists on the day; None: not on a list.
        picked_by: names of the choosers that picked it.
    """

    outcome: ContestOutcome
    rank: int | None
    score: float | None
    is_excluded: bool
    chance: float | None
    stars: int | None
    contributors: int | None
    picked_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A contest with its outcome.

    Attributes:
        outcome_day: 24 months after the day of the question.
        certainty: of the advice.
        entries: the candidates, the winner first.
        unknown: candidates of which nobody knows what became.
    """

    contest: Contest
    outcome_day: date
    certainty: str
    entries: tuple[Entry, ...]
    unknown: tuple[str, ...]

    @property
    def winner(self) -> Entry | None:
        """The best entry; None if all are abandoned or collapsed."""
        return None if self.entries[0].outcome.has_failed else self.entries[0]

    def pick(self, chooser: str) -> Entry | None:
        """Return what a chooser picked."""
        return next((e for e in self.entries if chooser in e.picked_by), None)

    def place(self, entry: Entry) -> float:
        """Return the share of the other candidates that did better."""
        return (entry.outcome.position - 1) / (len(self.entries) - 1)


@dataclass(frozen=True)
class Summary:
    """How a way to choose fared over all contests.

    Attributes:
        contests: those in which it picked something.
        winners, failures: the share of its picks that won, and that were abandoned or collapsed (Wilson).
        place: the mean share of the other candidates that did better than its pick (bootstrap over contests).
        gain: by how much the place of advisor's pick is better, in the same contests (paired bootstrap).
    """

    chooser: str
    contests: int
    winners: Share
    failures: Share
    place: Share
    gain: Share


@dataclass(frozen=True)
class Contests:
    """All contests.

    Attributes:
        learned_from: candidates that the fitted weights learned from.
        candidates: number of different candidates.
    """

    results: tuple[Result, ...]
    summaries: tuple[Summary, ...]
    learned_from: int
    candidates: int


def judge_contests(folder: Path, progress: Callable[[str], None] = lambda _: None) -> Contests:
    """Ask for the advice of each contest's day, and compare it with what happened.

    Args:
        folder: ``contests.toml``; ``facts``, a store of histories; ``lists``, for each day of a question or
            an outcome a file ``YYYY-MM-DD.parquet`` of `scripts/build_population.py` (optional).
        progress: called with the name of each contest.

    Raises:
        InputError: a contest is malformed, or its facts end too early.
        FactsError: the facts cannot be read.
    """
    contests = load_contests(folder)
    store = reading.open_store(folder / FACTS)
    results = []
    for contest in contests:
        progress(f"contest {contest.name}")
        results.append(_judge(contest, store, folder / LISTS))
    names = {name.lower() for contest in contests for name in contest.candidates}
    return Contests(
        tuple(results),
        tuple(summarise(results, chooser) for chooser in CHOOSERS),
        sum(digest(name) in _read_training_repositories() for name in names),
        len(names),
    )


def _read_training_repositories() -> frozenset[str]:
    return frozenset(json.loads((data_folder() / "reference" / "weights.json").read_text())["trained_on"])


def _judge(contest: Contest, store: Store, lists: Path) -> Result:
    day, end = contest.day, _add_years(contest.day)
    if store.as_of < end:
        raise InputError(
            f"contest {contest.name}: its facts end on {store.as_of}, before its outcome ({end})"
        )
    then, later = (_read_lists(lists, contest.candidates, d) for d in (day, end))
    answer = recommend(_read_question(contest, store, lists, then))
    spellings = {name.lower(): name for name in store.repositories()}
    repositories = tuple(spellings[n.lower()] for n in contest.candidates if n.lower() in spellings)
    outcomes = read_outcomes(contest.candidates, FactsView(store, repositories, end), day, then, later)
    known = {o.repository for o in outcomes}
    unknown = tuple(name for name in contest.candidates if name not in known)
    if len(outcomes) <= 1:
        raise InputError(f"contest {contest.name}: nobody knows what became of {', '.join(unknown)}")
    entries = [_describe(o, answer, then.get(o.repository.lower())) for o in outcomes]
    return Result(contest, end, answer.certainty, tuple(_add_picks(entries, answer)), unknown)


def _add_years(day: date) -> date:
    return day.replace(year=day.year + YEARS)


def _read_lists(lists: Path, names: Sequence[str], day: date) -> Mapping[str, Library]:
    file = lists / f"{day}.parquet"
    return read_libraries(names, file) if file.exists() else {}


def _read_question(contest: Contest, store: Store, lists: Path, then: Mapping[str, Library]) -> Question:
    file = lists / f"{contest.day}.parquet"
    question = read_any_request(
        Request(
            domain=ANY_LIBRARIES,
            repositories=contest.candidates,
            as_of=contest.day,
            store=store.path,
            population=file if file.exists() else None,
            is_backtest=True,
        )
    )
    # Earlier names: the trees may have learned from a library under one of them.
    candidates = tuple(
        replace(c, formerly=(*c.formerly, *_names_of(then.get(c.repository.lower()))))
        for c in question.candidates
    )
    return replace(question, candidates=candidates)


def _names_of(library: Library | None) -> tuple[str, ...]:
    return (library.repository, *library.formerly) if library else ()


def _describe(outcome: ContestOutcome, answer: Recommendation, then: Library | None) -> Entry:
    name = outcome.repository.lower()
    ranked = next((r for r in answer.ranking if r.repository.lower() == name), None)
    chances = (
        [o.probability_inactive for o in ranked.outlook if o.horizon_months == HORIZON] if ranked else []
    )
    return Entry(
        outcome=outcome,
        rank=ranked.rank if ranked else None,
        score=ranked.score if ranked else None,
        is_excluded=ranked.excluded if ranked else False,
        chance=chances[0] if chances else None,
        stars=then.stars if then else None,
        contributors=then.contributors if then else None,
    )


def _add_picks(entries: Sequence[Entry], answer: Recommendation) -> list[Entry]:
    """Name what each chooser picks; of equal ones the first by name."""
    by_name = sorted(entries, key=lambda e: e.outcome.repository.lower())
    chance = min((e for e in by_name if e.chance is not None), key=lambda e: e.chance or 0.0, default=None)
    stars = max((e for e in by_name if e.stars is not None), key=lambda e: e.stars or 0, default=None)
    people = max(
        (e for e in by_name if e.contributors is not None), key=lambda e: e.contributors or 0, default=None
    )
    choice = next((e for e in entries if e.outcome.repository.lower() == (answer.choice or "").lower()), None)
    picks = dict(zip(CHOOSERS, (choice, chance, stars, people), strict=False))
    return [
        replace(entry, picked_by=tuple(name for name, pick in picks.items() if pick is entry))
        for entry in entries
    ]


def summarise(results: Sequence[Result], chooser: str) -> Summary:
    """Return how a chooser fared; ``random`` is the mean over all candidates of a contest."""
    import numpy as np

    rows = [row for result in results if (row := _row(result, chooser)) is not None]
    values = np.array(rows, dtype=float).reshape(-1, 4)
    numbers = np.arange(len(values))

    def interval(column: int) -> Share:
        if not len(values):
            return Share(float("nan"), float("nan"), float("nan"))
        low, high = bootstrap(lambda sample: float(values[sample, column].mean()), numbers, DRAWS)
        return Share(float(values[:, column].mean()), low, high)

    def share(column: int) -> Share:
        if chooser == BY_CHANCE or not len(values):
            return interval(column)
        return Share(float(values[:, column].mean()), *wilson(float(values[:, column].sum()), len(values)))

    return Summary(chooser, len(values), share(0), share(1), interval(2), interval(3))


def _row(result: Result, chooser: str) -> tuple[float, float, float, float] | None:
    """Return whether the pick won and failed, its place, and how much better the place of advisor's is."""
    own = result.pick(ADVISOR)
    picks = result.entries if chooser == BY_CHANCE else [e for e in [result.pick(chooser)] if e]
    if not picks or own is None:
        return None
    count = len(picks)
    place = sum(map(result.place, picks)) / count
    return (
        sum(e is result.winner for e in picks) / count,
        sum(e.outcome.has_failed for e in picks) / count,
        place,
        place - result.place(own),
    )
