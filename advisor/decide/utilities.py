"""From measurements to scores: utilities on fixed scales, weighted means, and how sure the order is.

The utility of a value lies on a scale whose ends are fixed in the domain file, never on the other
candidates: adding one changes nobody's score (no rank reversal; Belton & Gear 1983 show why scales
that depend on the alternatives reverse ranks). Missing evidence widens the interval and leaves the
point where the measured part puts it. How sure the order is stands in `acceptability`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Measurement, MetricScore


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
