"""Two candidates side by side, and the smallest changes that would turn their order round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from advisor.answers import question, recommend
from advisor.decide import flips
from advisor.errors import InputError
from advisor.model import Flip, Ranked


@dataclass(frozen=True)
class Comparison:
    """What `advisor compare` shows.

    Attributes:
        first, second: the candidates as they were named.
        flips: changes of one weight or one value after which the other is ahead; of each kind the
            smallest, first the smallest of all.
    """

    as_of: date
    goal: str
    weights: Mapping[str, float]
    first: Ranked
    second: Ranked
    flips: tuple[Flip, ...]


def compare(request: question.Request) -> Comparison:
    """Set two candidates side by side.

    Raises:
        InputError: the request does not name two different candidates that can be measured.
    """
    answer = recommend.recommend(request)
    found = {r.candidate.repository: r for r in answer.ranking}
    asked = question.read_request(request)
    names = [c.repository for c in asked.candidates]
    if len(names) != 2:  # a pair
        raise InputError("name two different candidates to compare")
    unknown = [n for n in names if n not in found or found[n].score is None]
    if unknown:
        raise InputError(f"{unknown[0]} cannot be compared: nothing of it was measured by {answer.as_of}")
    first, second = (found[n] for n in names)
    ahead, behind = (first, second) if (first.score or 0) >= (second.score or 0) else (second, first)
    titles = {c.name: c.title.lower() for c in asked.domain.criteria}
    return Comparison(
        as_of=answer.as_of,
        goal=answer.goal,
        weights=answer.weights,
        first=first,
        second=second,
        flips=(
            *flips.weight_flips((ahead, behind), answer.weights, titles),
            *flips.value_flips((ahead, behind), answer.weights, asked.domain.criteria),
        ),
    )
