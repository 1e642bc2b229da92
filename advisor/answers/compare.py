"""Two candidates side by side, and the smallest changes that would reverse their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from advisor.answers.question import Question
from advisor.answers.recommend import recommend
from advisor.decide import flips
from advisor.errors import InputError
from advisor.measure.definitions import DEFINITIONS
from advisor.model import Flip, Ranked


@dataclass(frozen=True)
class Comparison:
    """What `advisor compare` shows.

    Attributes:
        first, second: the candidates, in the order of the question.
        sources: where the figures come from and up to which day, in sentences.
        flips: changes of one weight or one value that put the other candidate ahead; first the changes of
            weights, then those of values, each the smallest first.
    """

    as_of: date
    goal: str
    weights: Mapping[str, float]
    first: Ranked
    second: Ranked
    flips: tuple[Flip, ...]
    sources: tuple[str, ...] = ()


def compare(question: Question) -> Comparison:
    """Compare two candidates.

    Raises:
        InputError: the question does not have two different candidates that can be measured.
    """
    if len(question.candidates) != 2:
        raise InputError("name two different candidates to compare")
    recommendation = recommend(question)
    ranking = {r.repository: r for r in recommendation.ranking}
    for candidate in question.candidates:
        name = candidate.repository
        if name not in ranking:
            raise InputError(f"cannot compare {name}: no measurements as of {question.as_of}")
    first, second = (ranking[c.repository] for c in question.candidates)
    pair = (first, second) if (first.score or 0) >= (second.score or 0) else (second, first)
    return Comparison(
        as_of=question.as_of,
        goal=question.goal,
        weights=question.weights,
        first=first,
        second=second,
        sources=recommendation.sources,
        flips=tuple(_find_flips(question, pair)) if None not in (first.score, second.score) else (),
    )


def _find_flips(question: Question, pair: tuple[Ranked, Ranked]) -> list[Flip]:
    leader = pair[0].repository
    titles = {c.name: c.title.lower() for c in question.domain.criteria}
    return [
        *flips.weight_flips(leader, pair, question.weights, titles),
        *flips.value_flips(leader, pair, question.weights, question.domain.criteria, DEFINITIONS),
    ]
