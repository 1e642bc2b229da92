"""From measurements to scores: utilities on fixed scales, weighted means, and how sure the order is.

The utility of a value lies on a scale whose ends are fixed in the domain file, never on the other
candidates: adding one changes nobody's score (no rank reversal; Belton & Gear 1983 show why scales
that depend on the alternatives reverse ranks). Missing evidence widens the interval and leaves the
point where the measured part puts it. How often each candidate wins over sampled weights and
values is the rank acceptability of SMAA (Lahdelma, Hokkanen & Salminen 1998).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from advisor.domain import Criterion, Scale
from advisor.model import CriterionScore, Measurement, MetricScore

DRAWS = 500
# Each weight is drawn from a gamma distribution with the goal's weight as mean and this many
# "observations" in all: about a third of relative spread for a criterion that weighs a quarter.
CONCENTRATION = 30.0


def utility(scale: Scale, value: float) -> float:
    """Place of a value between ``worst`` (0) and ``best`` (1), cut off at both ends."""
    curve = math.log1p if scale.curve == "log" else float
    worst, best = curve(scale.worst), curve(scale.best)
    floor = 0.0 if scale.curve == "log" else -math.inf
    return min(1.0, max(0.0, (curve(max(value, floor)) - worst) / (best - worst)))


def score_metric(scale: Scale, measured: Measurement | None) -> MetricScore:
    """Utility of one measurement with the utilities of its bounds; (0, 1) where there is none."""
    if measured is None or not isinstance(measured.value, int | float):
        return MetricScore(scale.metric, scale.weight, None, 0.0, 1.0)
    point = utility(scale, measured.value)
    ends = [utility(scale, bound) for bound in (measured.low, measured.high) if bound is not None] or [point]
    return MetricScore(scale.metric, scale.weight, point, min(point, *ends), max(point, *ends))


def _mean(parts: Sequence[tuple[float, float]]) -> float | None:
    total = math.fsum(weight for weight, _ in parts)
    return math.fsum(w * u for w, u in parts) / total if total > 0 else None


def score_criterion(criterion: Criterion, measurements: Mapping[str, Measurement]) -> CriterionScore:
    """Weighted mean over the criterion's metrics."""
    parts = tuple(score_metric(s, measurements.get(s.metric)) for s in criterion.scales)
    measured = [(p.weight, p.utility) for p in parts if p.utility is not None]
    return CriterionScore(
        criterion=criterion.name,
        utility=_mean(measured),
        low=_mean([(p.weight, p.low) for p in parts]) or 0.0,
        high=_mean([(p.weight, p.high) for p in parts]) or 0.0,
        coverage=math.fsum(w for w, _ in measured) / math.fsum(p.weight for p in parts),
        metrics=parts,
    )


def total(
    criteria: Sequence[CriterionScore], weights: Mapping[str, float]
) -> tuple[float | None, float, float, float]:
    """Score, low, high (0 to 100) and coverage (0 to 1) under these weights."""
    used = [(weights.get(c.criterion, 0.0), c) for c in criteria]
    point = _mean([(w, c.utility) for w, c in used if c.utility is not None])
    low = _mean([(w, c.low) for w, c in used])
    high = _mean([(w, c.high) for w, c in used])
    covered = _mean([(w, c.coverage) for w, c in used])
    if point is None or low is None or high is None or covered is None:
        return None, 0.0, 100.0, 0.0
    return 100 * point, 100 * low, 100 * high, covered


def wins(
    scores: Mapping[str, Sequence[CriterionScore]], weights: Mapping[str, float], seed: int = 0
) -> dict[str, float]:
    """Share of draws in which each candidate has the highest score (first rank acceptability).

    A draw takes weights around the goal's and, for every criterion, a utility from a triangle over
    its interval with the point as its peak. Each candidate has random numbers of its own, so that
    the others' presence does not change them.
    """
    if not scores:
        return {}
    mass = math.fsum(weights.values())
    shapes = {name: CONCENTRATION * w / mass for name, w in weights.items() if w > 0}
    of_weights = random.Random(seed)  # noqa: S311 - sampling, not secrets
    drawn = [
        {name: of_weights.gammavariate(shape, 1.0) for name, shape in shapes.items()} for _ in range(DRAWS)
    ]
    totals = {}
    for name, criteria in scores.items():
        own = random.Random(f"{seed}/{name}")  # noqa: S311 - sampling, not secrets
        totals[name] = [_drawn_score(criteria, weights, own) for weights in drawn]
    won = dict.fromkeys(scores, 0.0)
    for i in range(DRAWS):
        best = max(values[i] for values in totals.values())
        first = [name for name, values in totals.items() if values[i] == best]
        for name in first:
            won[name] += 1 / len(first) / DRAWS
    return won


def _drawn_score(
    criteria: Sequence[CriterionScore], weights: Mapping[str, float], own: random.Random
) -> float:
    above = below = 0.0
    for c in criteria:
        weight = weights.get(c.criterion, 0.0)
        peak = (c.low + c.high) / 2 if c.utility is None else c.utility
        above += weight * (own.triangular(c.low, c.high, peak) if c.high > c.low else peak)
        below += weight
    return above / below if below else 0.0
