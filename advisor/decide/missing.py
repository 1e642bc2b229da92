"""What to expect of a metric that is not known, from the facts about the library.

The joint distribution of the metrics over many libraries, conditional on the library's age and its measured
metrics, gives 20 equally likely values of the missing one. A metric that the joint distribution does not have
may have any value.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from operator import mul

from advisor.domain.joint_distribution import JointDistribution, load_joint_distribution
from advisor.model import Measurement

AGE = "age_days"
# Metrics whose first fact is about as old as the repository.
_OLDEST_FACTS = ("days_since_last_commit", "declared_status", "release_frequency")
# Metrics of an install: their day is that of a reading, and says nothing about how old the repository is.
_READINGS = ("import_time", "install_", "supported_")


def age_in_days(measurements: Mapping[str, Measurement]) -> float | None:
    """Return the days from the first to the last fact about a repository; None if no fact shows it."""
    facts = [measurements[n] for n in _OLDEST_FACTS if n in measurements]
    first = min((m.first_day for m in facts if m.first_day), default=None)
    own_facts = [m for name, m in measurements.items() if not name.startswith(_READINGS)]
    last = max((m.last_day for m in own_facts if m.last_day), default=None)
    return None if first is None or last is None else float((last - first).days)


def known_values(measurements: Mapping[str, Measurement]) -> dict[str, float]:
    """Return what predicts missing metrics: measured numbers, and the age."""
    values = {n: float(m.value) for n, m in measurements.items() if isinstance(m.value, int | float)}
    age = age_in_days(measurements)
    return values if age is None else {**values, AGE: age}


class Predictor:
    """Predicts metrics from others; it keeps the factors of each set of known metrics."""

    def __init__(self, joint: JointDistribution) -> None:
        self.joint = joint
        self._order = {name: i for i, name in enumerate(joint.metrics)}
        self._lines: dict[tuple[tuple[str, ...], str], tuple[list[float], float]] = {}

    def likely_values(self, metric: str, known: Mapping[str, float]) -> list[float] | None:
        """Return equally likely values of a metric, ascending; None if nothing is known about it.

        Args:
            metric: the missing metric.
            known: other metric → its value, from `known_values`.
        """
        if metric not in self._order:
            return None
        names = tuple(n for n in self._order if n in known and n != metric)
        if (names, metric) not in self._lines:
            self._lines[names, metric] = self._line(names, metric)
        gains, deviation = self._lines[names, metric]
        margins = self.joint.metrics
        centre = margins[metric].mean + math.fsum(
            gain * (self._place(margins[n].values, known[n]) - margins[n].mean)
            for gain, n in zip(gains, names, strict=True)
        )
        values = margins[metric].values
        return [_interpolate(self.joint.knots, values, centre + deviation * z) for z in self.joint.points]

    def _line(self, names: Sequence[str], metric: str) -> tuple[list[float], float]:
        """Return the factors of the known metrics, and the standard deviation that remains."""
        at = [self._order[n] for n in names]
        target = self._order[metric]
        covariance = self.joint.covariance
        between = [covariance[i][target] for i in at]
        gains = _solve([[covariance[i][j] for j in at] for i in at], between)
        rest = covariance[target][target] - math.fsum(map(math.prod, zip(gains, between, strict=True)))
        return gains, math.sqrt(max(rest, 0.0))

    def _place(self, values: Sequence[float], value: float) -> float:
        """Return the place of a value on the normal scale; the middle of the places that have it."""
        first, end = bisect_left(values, value), bisect_right(values, value)
        if end > first:
            return (self.joint.knots[first] + self.joint.knots[end - 1]) / 2
        return _interpolate(values, self.joint.knots, value)


@cache
def bundled_predictor() -> Predictor | None:
    """Return the predictor from the bundled joint distribution; None without its file."""
    joint = load_joint_distribution()
    return None if joint is None else Predictor(joint)


def _interpolate(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Return y at x on the line through the points; the first or last y outside of them."""
    i = bisect_right(xs, x)
    if i in (0, len(xs)):
        return ys[0] if i == 0 else ys[-1]
    return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1])


def _solve(matrix: list[list[float]], right: Sequence[float]) -> list[float]:
    """Solve a symmetric positive definite system, by Cholesky's method."""
    n = len(right)
    lower: list[list[float]] = []
    for i in range(n):
        row: list[float] = []
        for j in range(i):
            row.append((matrix[i][j] - _dot(row, lower[j])) / lower[j][j])
        row.append(math.sqrt(matrix[i][i] - _dot(row, row)))
        lower.append(row)
    half: list[float] = []
    for i in range(n):
        half.append((right[i] - _dot(lower[i], half)) / lower[i][i])
    solution = [0.0] * n
    for i in reversed(range(n)):
        rest = _dot([lower[k][i] for k in range(i + 1, n)], solution[i + 1 :])
        solution[i] = (half[i] - rest) / lower[i][i]
    return solution


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the sum of products over the shorter of the two."""
    total: float = sum(map(mul, a, b))  # a map ends with the shorter one
    return total
