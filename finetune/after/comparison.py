"""How sure a value of a metric is, and whether two models really differ on the same rows.

Values have 95 % intervals of the percentile bootstrap over rows (Efron 1979). Two models answer the same
rows, so the test is paired. If a row is right or wrong, it is the exact test of McNemar (1947). Else it is a
permutation test that swaps the two answers of a row (Fisher 1935; for F1 as in Yeh 2000, "More accurate tests
for the statistical significance of result differences").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES, PERMUTATIONS = 2000, 10_000
_EXACT_ROWS = 12  # up to here a permutation test tries all swaps
_Z = 1.959964  # the normal quantile of a 95 % interval
_SEED = 42
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Scores:
    """What each row adds to a metric, and how the sums of a group of rows give its value.

    Attributes:
        parts: array of rows and parts, for example ``right, 1`` for a share.
        combine: sums of the parts (last axis) → value; NaN if the group says nothing.
        is_binary: whether the value is the share of rows that are right.
    """

    parts: np.ndarray
    combine: Callable[[np.ndarray], np.ndarray]
    is_binary: bool = False

    @property
    def value(self) -> float:
        """The metric over all rows."""
        return float(self.combine(self.parts.sum(axis=0)))


@dataclass(frozen=True)
class Comparison:
    """The difference of two models on the same rows: second minus first, its interval, and the test."""

    difference: float
    low: float
    high: float
    p_value: float
    test: str


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the quotient; NaN where the denominator is 0."""
    quotient: np.ndarray = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def average(scores: list[float]) -> Scores:
    """Return the scores of a metric that is the mean over rows."""
    parts = np.column_stack([np.asarray(scores, float), np.ones(len(scores))])
    is_binary = set(scores) <= {0.0, 1.0}
    return Scores(parts, lambda sums: divide(sums[..., 0], sums[..., 1]), is_binary)


def find_interval(scores: Scores) -> tuple[float, float]:
    """Return the 95 % interval of a metric.

    If all rows are right, or none is, every resample is the same; then it is Wilson's interval of a share.
    """
    if scores.is_binary and scores.value in (0.0, 1.0):
        rows = len(scores.parts)
        width = _Z**2 / (rows + _Z**2)
        return (0.0, width) if scores.value == 0 else (1 - width, 1.0)
    weights = _draw_weights(len(scores.parts))
    return _find_quantiles(scores.combine(weights @ scores.parts))


def compare(first: Scores, second: Scores) -> Comparison:
    """Compare two models whose rows are in the same order."""
    weights = _draw_weights(len(first.parts))
    resamples = second.combine(weights @ second.parts) - first.combine(weights @ first.parts)
    low, high = _find_quantiles(resamples)
    difference = second.value - first.value
    if first.is_binary and second.is_binary:
        is_right = first.parts[:, 0].astype(bool), second.parts[:, 0].astype(bool)
        losses, wins = int((is_right[0] & ~is_right[1]).sum()), int((is_right[1] & ~is_right[0]).sum())
        return Comparison(difference, low, high, find_mcnemar_p(losses, wins), "exact McNemar")
    return Comparison(difference, low, high, _find_permutation_p(first, second), "paired permutation")


def find_mcnemar_p(losses: int, wins: int) -> float:
    """Return the two-sided p-value of exact McNemar: a binomial test of the rows on which models differ."""
    rows = losses + wins
    tail = sum(math.comb(rows, k) for k in range(min(losses, wins) + 1))
    return min(1.0, float(2 * tail / 2**rows))


def _find_permutation_p(first: Scores, second: Scores) -> float:
    rows = len(first.parts)
    is_exact = rows <= _EXACT_ROWS
    if is_exact:
        swaps = (np.arange(2**rows)[:, None] >> np.arange(rows)) & 1
    else:
        swaps = np.random.default_rng(_SEED).integers(0, 2, (PERMUTATIONS, rows))
    change = swaps @ (second.parts - first.parts)
    lower = first.combine(first.parts.sum(axis=0) + change)
    upper = second.combine(second.parts.sum(axis=0) - change)
    actual = abs(second.value - first.value)
    extreme = int((np.abs(upper - lower) >= actual - _ROUNDING).sum())
    return extreme / len(swaps) if is_exact else (1 + extreme) / (1 + len(swaps))


def _draw_weights(rows: int) -> np.ndarray:
    """Return how often each row is in each resample: array of resamples and rows."""
    return np.random.default_rng(_SEED).multinomial(rows, np.full(rows, 1 / rows), RESAMPLES)


def _find_quantiles(values: np.ndarray) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
