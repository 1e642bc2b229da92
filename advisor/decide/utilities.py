"""From measurements to scores: expected utilities on fixed scales, and weighted means of them.

The ends of a metric's scale are fixed in the domain file and do not depend on the candidates. So a new
candidate changes no other score: there is no rank reversal (Belton & Gear 1983). A measured value with bounds
is a triangular distribution over them with its peak at the value. A missing metric has the distribution that
`missing` expects of it. The score is the mean over these distributions, and `acceptability` draws from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from advisor.decide.missing import Predictor, bundled_predictor, known_values
from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Measurement, MetricScore

FLOOR = 0.5  # share of the weight that must be known; below it a candidate has no score
ROUNDING = 1e-6  # of a share; the dashboard page has six digits


def utility(scale: Scale, value: float) -> float:
    """Return the place of a value between ``worst`` (0) and ``best`` (1), cut off at both ends."""
    return _utilities(scale, (value,))[0]


def _utilities(scale: Scale, values: Sequence[float]) -> list[float]:
    curve = _CURVES[scale.curve]
    worst = curve(scale.worst)
    span = curve(scale.best) - worst
    return [min(1.0, max(0.0, (curve(value) - worst) / span)) for value in values]


def _logit(share: float) -> float:
    inside = min(1 - SMALLEST_SHARE, max(SMALLEST_SHARE, share))
    return math.log(inside / (1 - inside))


SMALLEST_SHARE = 1e-9
_CURVES: Mapping[str, Callable[[float], float]] = {
    "linear": float,
    "log": lambda value: math.log1p(max(value, 0.0)),
    "logit": _logit,
}


def score_metric(
    scale: Scale,
    measurement: Measurement | None,
    known: Mapping[str, float] | None = None,
    predictor: Predictor | None = None,
) -> MetricScore:
    """Return the utility of a measurement with its bounds, or what is expected of a missing one.

    Args:
        scale: of the metric.
        measurement: the metric's measurement.
        known: the known values of the repository, from `missing.known_values`.
        predictor: predicts missing metrics; None: any value is possible.
    """
    if measurement is None or not isinstance(measurement.value, int | float):
        values = predictor.likely_values(scale.metric, known or {}) if predictor else None
        likely = sorted(_utilities(scale, values or ()))
        if not likely:
            return MetricScore(scale.metric, scale.weight, None, 0.5, 0.0, 1.0)
        mean = math.fsum(likely) / len(likely)
        return MetricScore(scale.metric, scale.weight, None, mean, likely[0], likely[-1])
    bounds = [b for b in (measurement.low, measurement.high) if b is not None]
    point, *others = _utilities(scale, (measurement.value, *bounds))
    low, high = min((point, *others)), max((point, *others))
    mean = point if low == high else math.fsum((low, point, high)) / 3
    return MetricScore(scale.metric, scale.weight, point, mean, low, high)


def score_criteria(
    criteria: Sequence[Criterion], measurements: Mapping[str, Measurement], predictor: Predictor | None = None
) -> tuple[CriterionScore, ...]:
    """Return each criterion's expected utility.

    Args:
        criteria: criteria with the scales of their metrics.
        measurements: metric → its measurement.
        predictor: predicts missing metrics; None: the bundled one.
    """
    known = known_values(measurements)
    predictor = predictor or bundled_predictor()
    return tuple(_score_criterion(c, measurements, known, predictor) for c in criteria)


def _score_criterion(
    criterion: Criterion,
    measurements: Mapping[str, Measurement],
    known: Mapping[str, float],
    predictor: Predictor | None,
) -> CriterionScore:
    metrics = tuple(score_metric(s, measurements.get(s.metric), known, predictor) for s in criterion.scales)
    weight = math.fsum(m.weight for m in metrics)
    return CriterionScore(
        criterion=criterion.name,
        utility=math.fsum(m.weight * m.mean for m in metrics) / weight,
        low=math.fsum(m.weight * m.low for m in metrics) / weight,
        high=math.fsum(m.weight * m.high for m in metrics) / weight,
        coverage=math.fsum(m.weight for m in metrics if m.utility is not None) / weight,
        metrics=metrics,
        benched=criterion.benched,
        title=criterion.title,
    )


def total_score(
    criteria: Sequence[CriterionScore], weights: Mapping[str, float]
) -> tuple[float | None, float, float, float]:
    """Return score, low, high (0 to 100) and coverage (0 to 1) with these weights.

    The score is None if less than half of the weight is known.
    """
    parts = [(weights.get(c.criterion, 0.0), c) for c in criteria]
    low, mean, high, coverage = (
        _mean([(w, getattr(c, name)) for w, c in parts]) for name in ("low", "utility", "high", "coverage")
    )
    if low is None or mean is None or high is None or coverage is None:
        return None, 0.0, 100.0, 0.0
    return 100 * mean if is_known(criteria, weights) else None, 100 * low, 100 * high, coverage


def is_known(criteria: Sequence[CriterionScore], weights: Mapping[str, float]) -> bool:
    """Return whether at least half of the weight is known.

    A benchmark that nobody has run on the user's machine says nothing about the facts on a library.
    """
    parts = [(weights.get(c.criterion, 0.0), c.coverage) for c in criteria if not c.benched or c.coverage]
    coverage = _mean(parts)
    return coverage is not None and coverage >= FLOOR - ROUNDING


def _mean(parts: Sequence[tuple[float, float]]) -> float | None:
    """Return the mean of (weight, value) pairs; None if no weight is above 0."""
    total = math.fsum(weight for weight, _ in parts)
    return math.fsum(w * u for w, u in parts) / total if total > 0 else None
