"""From measurements to scores: utilities on fixed scales, and weighted means of them.

The ends of a metric's scale are fixed in the domain file and do not depend on the candidates. So a new
candidate changes no other score: there is no rank reversal (Belton & Gear 1983). Missing evidence widens
the interval but does not move the score.
`acceptability` computes how certain the order is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Measurement, MetricScore


def utility(scale: Scale, value: float) -> float:
    """Return the place of a value between ``worst`` (0) and ``best`` (1), cut off at both ends."""
    curve = _CURVES[scale.curve]
    worst, best = curve(scale.worst), curve(scale.best)
    return min(1.0, max(0.0, (curve(value) - worst) / (best - worst)))


def _logit(share: float) -> float:
    inside = min(1 - SMALLEST_SHARE, max(SMALLEST_SHARE, share))
    return math.log(inside / (1 - inside))


SMALLEST_SHARE = 1e-9
_CURVES: Mapping[str, Callable[[float], float]] = {
    "linear": float,
    "log": lambda value: math.log1p(max(value, 0.0)),
    "logit": _logit,
}


def score_metric(scale: Scale, measurement: Measurement | None) -> MetricScore:
    """Return the utility of a measurement and of its bounds; the bounds 0 and 1 if nothing was measured."""
    if measurement is None or not isinstance(measurement.value, int | float):
        return MetricScore(scale.metric, scale.weight, None, 0.0, 1.0)
    point = utility(scale, measurement.value)
    bounds = [b for b in (measurement.low, measurement.high) if b is not None]
    ends = [point, *(utility(scale, bound) for bound in bounds)]
    return MetricScore(scale.metric, scale.weight, point, min(ends), max(ends))


def score_criterion(criterion: Criterion, measurements: Mapping[str, Measurement]) -> CriterionScore:
    """Return the weighted mean over the criterion's metrics."""
    metrics = tuple(score_metric(s, measurements.get(s.metric)) for s in criterion.scales)
    utilities = [(m.weight, m.utility) for m in metrics if m.utility is not None]
    return CriterionScore(
        criterion=criterion.name,
        utility=_mean(utilities),
        low=_mean([(m.weight, m.low) for m in metrics]) or 0.0,
        high=_mean([(m.weight, m.high) for m in metrics]) or 0.0,
        coverage=math.fsum(w for w, _ in utilities) / math.fsum(m.weight for m in metrics),
        metrics=metrics,
    )


def total_score(
    criteria: Sequence[CriterionScore], weights: Mapping[str, float]
) -> tuple[float | None, float, float, float]:
    """Return score, low, high (0 to 100) and coverage (0 to 1) with these weights."""
    parts = [(weights.get(c.criterion, 0.0), c) for c in criteria]
    point = _mean([(w, c.utility) for w, c in parts if c.utility is not None])
    low = _mean([(w, c.low) for w, c in parts])
    high = _mean([(w, c.high) for w, c in parts])
    coverage = _mean([(w, c.coverage) for w, c in parts])
    if point is None or low is None or high is None or coverage is None:
        return None, 0.0, 100.0, 0.0
    return 100 * point, 100 * low, 100 * high, coverage


def _mean(parts: Sequence[tuple[float, float]]) -> float | None:
    """Return the mean of (weight, value) pairs; None if no weight is above 0."""
    total = math.fsum(weight for weight, _ in parts)
    return math.fsum(w * u for w, u in parts) / total if total > 0 else None
