"""Two candidates side by side, and the smallest changes that would turn their order round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from advisor import advise, scoring
from advisor.domain import Criterion, Scale
from advisor.errors import InputError
from advisor.model import Flip, Measurement, Ranked

_STEPS = 60  # halvings of a bisection
_HEAVY = 1e6  # a weight beside which the others count nothing


@dataclass(frozen=True)
class Comparison:
    """What `advisor compare` shows.

    Attributes:
        first, second: the candidates as they were named.
        flips: changes of one weight or one value after which the other is ahead; the smallest first
            of each kind.
    """

    as_of: date
    goal: str
    weights: Mapping[str, float]
    first: Ranked
    second: Ranked
    flips: tuple[Flip, ...]


def compare(request: advise.Request) -> Comparison:
    """Set two candidates side by side.

    Raises:
        InputError: the request does not name two different candidates that can be measured.
    """
    answer = advise.recommend(request)
    found = {r.candidate.repository: r for r in answer.ranking}
    asked = advise.read_request(request)
    names = [c.repository for c in asked.candidates]
    if len(names) != 2:  # noqa: PLR2004 - a pair
        raise InputError("name two different candidates to compare")
    unknown = [n for n in names if n not in found or found[n].score is None]
    if unknown:
        raise InputError(f"{unknown[0]} cannot be compared: nothing of it was measured by {answer.as_of}")
    first, second = (found[n] for n in names)
    return Comparison(
        as_of=answer.as_of,
        goal=answer.goal,
        weights=answer.weights,
        first=first,
        second=second,
        flips=tuple(flips(first, second, answer.weights, asked.domain.criteria)),
    )


def flips(
    first: Ranked, second: Ranked, weights: Mapping[str, float], criteria: tuple[Criterion, ...]
) -> list[Flip]:
    """Changes of a single weight, then of a single value of who is behind, that turn the order round."""
    ahead, behind = (first, second) if (first.score or 0) >= (second.score or 0) else (second, first)
    of_weights = [
        flip for name in weights if (flip := _flip_of_weight(name, ahead, behind, weights)) is not None
    ]
    of_values = [
        flip
        for criterion in criteria
        for scale in criterion.scales
        if (flip := _flip_of_value(scale, ahead, behind, weights, criteria)) is not None
    ]
    of_weights.sort(key=lambda f: abs(f.then - f.now))
    of_values.sort(key=lambda f: _moved(f, criteria))
    return [*of_weights, *of_values]


def _flip_of_weight(name: str, ahead: Ranked, behind: Ranked, weights: Mapping[str, float]) -> Flip | None:
    def lead(weight: float) -> float:
        changed = {**weights, name: weight}
        return _score(ahead, changed) - _score(behind, changed)

    now = weights[name]
    for end in (0.0, _HEAVY):
        if sum(w for n, w in weights.items() if n != name) + end > 0 and lead(end) < 0:
            then = _root(lead, now, end)
            whole = 1 - now + then
            change = f"{name} weighs {then / whole:.0%} instead of {now:.0%}"
            return Flip(
                kind="weight",
                name=name,
                repository=None,
                now=now,
                then=then / whole,
                first=behind.candidate.repository,
                text=f"{behind.candidate.name} comes ahead if {change}",
            )
    return None


def _flip_of_value(
    scale: Scale,
    ahead: Ranked,
    behind: Ranked,
    weights: Mapping[str, float],
    criteria: tuple[Criterion, ...],
) -> Flip | None:
    found = {m.metric: m for m in behind.measurements}
    now = found.get(scale.metric)
    if now is None or not isinstance(now.value, int | float):
        return None
    measured = float(now.value)

    def lead(value: float) -> float:
        changed = {**found, scale.metric: _with_value(now, value)}
        scores = [scoring.score_criterion(c, changed) for c in criteria]
        return _score(ahead, weights) - (scoring.total(scores, weights)[0] or 0.0)

    if scoring.utility(scale, measured) >= 1 or lead(scale.best) >= 0:
        return None
    then = _root(lead, measured, scale.best)
    change = f"its {scale.metric} is {then:,.3g} instead of {measured:,.3g}"
    return Flip(
        kind="value",
        name=scale.metric,
        repository=behind.candidate.repository,
        now=measured,
        then=then,
        first=behind.candidate.repository,
        text=f"{behind.candidate.name} comes ahead if {change}",
    )


def _with_value(measured: Measurement, value: float) -> Measurement:
    return replace(measured, value=value, low=value, high=value)


def _root(lead: Callable[[float], float], now: float, end: float) -> float:
    """Where the lead is lost between now (not yet) and the end (already)."""
    for _ in range(_STEPS):
        middle = (now + end) / 2
        now, end = (middle, end) if lead(middle) >= 0 else (now, middle)
    return end


def _score(ranked: Ranked, weights: Mapping[str, float]) -> float:
    return scoring.total(ranked.criteria, weights)[0] or 0.0


def _moved(flip: Flip, criteria: tuple[Criterion, ...]) -> float:
    scale = next(s for c in criteria for s in c.scales if s.metric == flip.name)
    return abs(scoring.utility(scale, flip.then) - scoring.utility(scale, flip.now))
