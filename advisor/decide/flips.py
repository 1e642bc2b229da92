"""Flips: the smallest change of one weight, or of one measured value, that puts another candidate first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Flip, MetricScore, ScoredCandidate

FLIPS = 3  # of each kind
STEPS = 1000  # weights change in steps of 0.1 %
MARGIN = 1e-9  # of a score, so that the other candidate is ahead and not level


def weight_flips(
    candidates: Sequence[ScoredCandidate], weights: Mapping[str, float], titles: Mapping[str, str]
) -> list[Flip]:
    """Return for each criterion the nearest weight at which another candidate comes first, nearest first.

    The other weights keep their ratios.

    Args:
        candidates: the candidates with a rank, the best first.
        weights: criterion → share of all weights; they add up to 1.
        titles: criterion → its name for people.
    """
    flips = []
    for k, name in enumerate(c.criterion for c in candidates[0].criteria) if len(candidates) > 1 else ():
        now = weights.get(name, 0.0)
        lines = [_line(c.criteria, weights, k) for c in candidates]
        for then in sorted((i / STEPS for i in range(STEPS + 1)), key=lambda share: abs(share - now)):
            scores = [_score_at(line, then) for line in lines]
            best = max(scores[1:])
            if now < 1 and best > scores[0] + MARGIN:
                other = candidates[scores.index(best, 1)].candidate
                title = titles.get(name, name)
                text = f"{other.name} comes first if the weight of {title} is {then:.1%} instead of {now:.1%}"
                flips.append(Flip("weight", name, None, now, then, other.repository, text))
                break
    return sorted(flips, key=lambda f: (abs(f.then - f.now), f.name))[:FLIPS]


def _line(
    criteria: Sequence[CriterionScore], weights: Mapping[str, float], k: int
) -> tuple[float, float, float | None]:
    """Return the score as a line over the weight of the k-th criterion.

    Returns:
        Weighted utility of the other criteria and the weight behind it, both as shares of the other
        criteria's weight; and the utility of the k-th.
    """
    others = 1 - weights.get(criteria[k].criterion, 0.0) or 1.0
    parts = [
        (weights.get(c.criterion, 0.0) / others, c.utility)
        for c in criteria
        if c is not criteria[k] and c.utility is not None
    ]
    return math.fsum(w * u for w, u in parts), math.fsum(w for w, _ in parts), criteria[k].utility


def _score_at(line: tuple[float, float, float | None], share: float) -> float:
    """Return the score (0 to 1) if the criterion has this share of the weight; -1 if nothing is measured."""
    others, weight, utility = line
    value, total = (1 - share) * others, (1 - share) * weight
    if utility is not None:
        value, total = value + share * utility, total + share
    return value / total if total else -1.0


@dataclass(frozen=True)
class _Lever:
    """A measured value that moves a score: by ``slope`` for one unit of utility."""

    scale: Scale
    utility: float
    slope: float


def value_flips(
    candidates: Sequence[ScoredCandidate], weights: Mapping[str, float], criteria: Sequence[Criterion]
) -> list[Flip]:
    """Return the measured values whose smallest change puts another candidate first, nearest first.

    Either the first falls behind the second, or another rises above the first. The size of a change is
    its difference in utility, so that different scales compare.

    Args:
        candidates: the candidates with a rank, the best first.
        weights: criterion → share of all weights.
        criteria: the criteria of the domain, with their scales.
    """
    if len(candidates) < 2:
        return []
    first, second = candidates[0], candidates[1]
    moves = []
    for lever in _levers(first, weights, criteria):
        moves.append((first, second, lever, (_score(second) - _score(first)) / 100 - MARGIN))
    for other in candidates[1:]:
        for lever in _levers(other, weights, criteria):
            moves.append((other, other, lever, (_score(first) - _score(other)) / 100 + MARGIN))
    flips = []
    for mover, winner, lever, gap in moves:
        step = gap / lever.slope
        if not 0 <= lever.utility + step <= 1:
            continue
        now = float(cast("float", mover.measurement(lever.scale.metric).value))  # only numbers have a utility
        then = value_at(lever.scale, lever.utility + step)
        title = lever.scale.metric.replace("_", " ")
        text = (
            f"{winner.candidate.name} comes first if {title} of {mover.candidate.name} "
            f"is {then:.4g} instead of {now:.4g}"
        )
        flip = Flip(
            "value", lever.scale.metric, mover.repository, now, then,
            winner.repository, text,
        )  # fmt: skip
        flips.append((abs(step), flip))
    flips.sort(key=lambda pair: (pair[0], pair[1].name, pair[1].repository or ""))
    return [flip for _, flip in flips[:FLIPS]]


def value_at(scale: Scale, utility: float) -> float:
    """Return the value with this utility: the inverse of `utilities.utility` between the scale's ends."""
    if scale.curve == "log":
        worst, best = math.log1p(scale.worst), math.log1p(scale.best)
        return math.expm1(worst + utility * (best - worst))
    if scale.curve == "logit":
        worst, best = (math.log(end / (1 - end)) for end in (scale.worst, scale.best))
        return 1 / (1 + math.exp(-(worst + utility * (best - worst))))
    return scale.worst + utility * (scale.best - scale.worst)


def _score(candidate: ScoredCandidate) -> float:
    return candidate.score or 0.0


def _levers(
    candidate: ScoredCandidate, weights: Mapping[str, float], criteria: Sequence[Criterion]
) -> list[_Lever]:
    measured_criteria = [c for c in candidate.criteria if c.utility is not None]
    total = math.fsum(weights.get(c.criterion, 0.0) for c in measured_criteria)
    scales = {c.name: {s.metric: s for s in c.scales} for c in criteria}
    return [
        _Lever(scales[c.criterion][m.metric], m.utility, weights.get(c.criterion, 0.0) / total * share)
        for c in measured_criteria
        for m, share in _shares(c)
        if m.utility is not None and weights.get(c.criterion, 0.0) > 0
    ]


def _shares(criterion: CriterionScore) -> list[tuple[MetricScore, float]]:
    """Return each measured metric with its share of the measured metrics' weight."""
    metrics = [m for m in criterion.metrics if m.utility is not None]
    total = math.fsum(m.weight for m in metrics)
    return [(m, m.weight / total) for m in metrics]
