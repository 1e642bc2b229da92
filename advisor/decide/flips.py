"""What it would take: the smallest change of a weight, or of a measured value, that puts another first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Flip, MetricScore, ScoredCandidate

SHOWN = 3  # of each kind
STEPS = 1000  # a weight is looked at in tenths of a per cent
JUST = 1e-9  # of a score, so that the other is ahead and not level


def weight_flips(
    running: Sequence[ScoredCandidate], weights: Mapping[str, float], titles: Mapping[str, str]
) -> list[Flip]:
    """For each criterion the nearest share of the weight at which another comes first, nearest first.

    The other weights keep their ratios.

    Args:
        running: the ranked candidates, best first.
        weights: criterion → share; they add up to 1.
        titles: criterion → its name for people.
    """
    found = []
    for k, name in enumerate(c.criterion for c in running[0].criteria) if len(running) > 1 else ():
        now = weights.get(name, 0.0)
        lines = [_line(r.criteria, weights, k) for r in running]
        for then in sorted((i / STEPS for i in range(STEPS + 1)), key=lambda share: abs(share - now)):
            scores = [_at(line, then) for line in lines]
            best = max(scores[1:])
            if now < 1 and best > scores[0] + JUST:
                other = running[scores.index(best, 1)].candidate
                title = titles.get(name, name)
                text = f"{other.name} comes first if {title} weighs {then:.1%} of all instead of {now:.1%}"
                found.append(Flip("weight", name, None, now, then, other.repository, text))
                break
    return sorted(found, key=lambda f: (abs(f.then - f.now), f.name))[:SHOWN]


def _line(
    criteria: Sequence[CriterionScore], weights: Mapping[str, float], k: int
) -> tuple[float, float, float | None]:
    """What the other criteria give and weigh, as shares of the weight that is not the k-th's; its utility."""
    others = 1 - weights.get(criteria[k].criterion, 0.0) or 1.0
    known = [(weights.get(c.criterion, 0.0) / others, c.utility) for c in criteria if c is not criteria[k]]
    given = math.fsum(w * u for w, u in known if u is not None)
    return given, math.fsum(w for w, u in known if u is not None), criteria[k].utility


def _at(line: tuple[float, float, float | None], share: float) -> float:
    """The score, 0 to 1, where the criterion weighs this share; -1 where nothing is known that weighs."""
    given, weight, utility = line
    value, whole = (1 - share) * given, (1 - share) * weight
    if utility is not None:
        value, whole = value + share * utility, whole + share
    return value / whole if whole else -1.0


@dataclass(frozen=True)
class _Lever:
    """A measured value that moves a score: by ``slope`` for a whole unit of utility."""

    scale: Scale
    utility: float
    slope: float


def value_flips(
    running: Sequence[ScoredCandidate], weights: Mapping[str, float], criteria: Sequence[Criterion]
) -> list[Flip]:
    """The single measured values whose smallest change puts another first, nearest first.

    Either the first falls behind the second, or another rises above the first. Near is meant in utility,
    the common currency of the scales.
    """
    if len(running) < 2:
        return []
    first, second = running[0], running[1]
    moves = []
    for lever in _levers(first, weights, criteria):
        moves.append((first, second, lever, (_score(second) - _score(first)) / 100 - JUST))
    for other in running[1:]:
        for lever in _levers(other, weights, criteria):
            moves.append((other, other, lever, (_score(first) - _score(other)) / 100 + JUST))
    found = []
    for whose, winner, lever, gap in moves:
        step = gap / lever.slope
        if not 0 <= lever.utility + step <= 1:
            continue
        now = float(cast("float", whose.measurement(lever.scale.metric).value))  # a utility is of a number
        then = value_at(lever.scale, lever.utility + step)
        title = lever.scale.metric.replace("_", " ")
        text = (
            f"{winner.candidate.name} comes first if {title} of {whose.candidate.name} "
            f"is {then:.4g} instead of {now:.4g}"
        )
        flip = Flip(
            "value", lever.scale.metric, whose.candidate.repository, now, then,
            winner.candidate.repository, text,
        )  # fmt: skip
        found.append((abs(step), flip))
    found.sort(key=lambda pair: (pair[0], pair[1].name, pair[1].repository or ""))
    return [flip for _, flip in found[:SHOWN]]


def value_at(scale: Scale, utility: float) -> float:
    """The value of this utility: the inverse of `scoring.utility` between the ends of the scale."""
    if scale.curve == "log":
        worst, best = math.log1p(scale.worst), math.log1p(scale.best)
        return math.expm1(worst + utility * (best - worst))
    return scale.worst + utility * (scale.best - scale.worst)


def _score(ranked: ScoredCandidate) -> float:
    return ranked.score or 0.0


def _levers(ranked: ScoredCandidate, weights: Mapping[str, float], criteria: Sequence[Criterion]) -> list[_Lever]:
    measured = [c for c in ranked.criteria if c.utility is not None]
    whole = math.fsum(weights.get(c.criterion, 0.0) for c in measured)
    scales = {c.name: {s.metric: s for s in c.scales} for c in criteria}
    return [
        _Lever(scales[c.criterion][m.metric], m.utility, weights.get(c.criterion, 0.0) / whole * share)
        for c in measured
        for m, share in _shares(c)
        if m.utility is not None and weights.get(c.criterion, 0.0) > 0
    ]


def _shares(criterion: CriterionScore) -> list[tuple[MetricScore, float]]:
    known = [m for m in criterion.metrics if m.utility is not None]
    whole = math.fsum(m.weight for m in known)
    return [(m, m.weight / whole) for m in known]
