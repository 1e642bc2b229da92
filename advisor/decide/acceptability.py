"""How certain the order is: how often each candidate takes each rank in sampled weightings and values.

Stochastic multicriteria acceptability analysis (SMAA-2; Lahdelma & Salminen 2001). A draw takes weights
around the goal's and, for every criterion of every candidate, a utility from a distribution over its interval
whose mean is the expected utility: the mean of all draws is the score. The distribution is triangular if a
triangle over the interval can have this mean, else a beta distribution with one free exponent, which is a
triangle too where the two meet. The random numbers of a candidate depend only on its name,
so the other candidates do not change them. They come from a hash of a counter (the finaliser of MurmurHash3,
Appleby), so that the page of `advisor dashboard` draws the same numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from advisor.model import CriterionScore

if TYPE_CHECKING:
    import numpy as np

DRAWS = 10_000
# A weight comes from a gamma distribution with the goal's weight as mean and this many "observations" in
# total: a relative standard deviation of about a third for a criterion with a quarter of the weight.
CONCENTRATION = 30.0
CLEAR, LEANING = 0.8, 0.6  # shares of the draws in which one candidate comes first
_BLOCK = 500  # draws in which all pairs are compared at once: 4 MB for 60 candidates
_STEP = 0x9E3779B9  # 2^32 over the golden ratio


@dataclass(frozen=True)
class Acceptability:
    """Shares of the draws.

    Attributes:
        ranks: candidate → share of the draws in which it takes rank 1, 2, …; equal scores share ranks.
        pairwise: candidate → other → share in which the first scores higher; equal scores count half.
        central_weights: candidate → criterion → mean weight over the draws that it wins, adding up to 1;
            empty for a candidate that never wins.
    """

    ranks: Mapping[str, tuple[float, ...]]
    pairwise: Mapping[str, Mapping[str, float]]
    central_weights: Mapping[str, Mapping[str, float]]


def seed_of(name: str) -> int:
    """Return the 32-bit seed of a candidate; it depends only on the name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def certainty(share: float) -> Literal["clear", "leaning", "tie"]:
    """Return how certain the first rank is, from the share of the draws that the candidate wins."""
    return "clear" if share >= CLEAR else "leaning" if share >= LEANING else "tie"


def sample_ranks(
    scores: Mapping[str, Sequence[CriterionScore]], weights: Mapping[str, float], draws: int = DRAWS
) -> Acceptability:
    """Draw weights and values, and count ranks.

    Args:
        scores: candidate → its criteria, in the same order for all.
        weights: criterion → weight; only ratios matter.
        draws: number of draws.
    """
    if not scores:
        return Acceptability({}, {}, {})
    import numpy as np

    names = list(scores)
    criteria = [c.criterion for c in scores[names[0]]]
    total = math.fsum(weights.get(c, 0.0) for c in criteria)
    weightings = draw_weights([weights.get(c, 0.0) / total for c in criteria], draws)
    totals = np.empty((draws, len(names)))
    for i, name in enumerate(names):
        totals[:, i] = (draw_utilities(scores[name], seed_of(name), draws) * weightings).sum(axis=1)
    above = np.empty(totals.shape, dtype=np.int16)  # how many candidates score higher than each
    level = np.empty(totals.shape, dtype=np.int16)  # how many score the same, including itself
    wins = np.zeros((len(names), len(names)))
    for start in range(0, draws, _BLOCK):
        block = totals[start : start + _BLOCK]
        higher = block[:, :, None] > block[:, None, :]
        equal = block[:, :, None] == block[:, None, :]
        above[start : start + _BLOCK] = higher.sum(axis=1, dtype=np.int16)
        level[start : start + _BLOCK] = equal.sum(axis=1, dtype=np.int16)
        wins += higher.sum(axis=0) + equal.sum(axis=0) / 2
    wins /= draws
    ranks = np.zeros((len(names), len(names)))
    for place in range(len(names)):
        inside = (above <= place) & (place < above + level)
        ranks[:, place] = (inside / level).mean(axis=0)
    first = above == 0
    return Acceptability(
        ranks={n: tuple(map(float, ranks[i])) for i, n in enumerate(names)},
        pairwise={
            n: {other: float(wins[i, j]) for j, other in enumerate(names) if j != i}
            for i, n in enumerate(names)
        },
        central_weights={
            n: _central_weights(weightings[first[:, i]], criteria) if first[:, i].any() else {}
            for i, n in enumerate(names)
        },
    )


def _central_weights(weightings: np.ndarray, criteria: Sequence[str]) -> dict[str, float]:
    shares = (weightings / weightings.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(criteria, map(float, shares), strict=True))


def draw_weights(weights: Sequence[float], draws: int) -> np.ndarray:
    """Draw weights around these, one row a draw; gamma by the cube of a normal (Wilson & Hilferty 1931)."""
    import numpy as np

    normal = _normal(uniforms(0, draws, len(weights)))
    shape = CONCENTRATION * np.array(weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        gamma = shape * np.maximum(0.0, 1 - 1 / (9 * shape) + normal / (3 * np.sqrt(shape))) ** 3
    weightings: np.ndarray = np.where(shape > 0, gamma, 0.0)
    return weightings


def draw_utilities(criteria: Sequence[CriterionScore], seed: int, draws: int) -> np.ndarray:
    """Draw utilities of a candidate: one row a draw, one column a criterion, each with its expected mean."""
    import numpy as np

    u = uniforms(seed, draws, len(criteria))
    columns = [_spread(u[:, k], c.low, c.utility, c.high) for k, c in enumerate(criteria)]
    utilities: np.ndarray = np.stack(columns, axis=1)
    return utilities


def _spread(u: np.ndarray, low: float, mean: float, high: float) -> np.ndarray:
    """Return numbers from ``low`` to ``high`` with this mean, from numbers between 0 and 1."""
    import numpy as np

    width = high - low
    if width <= 0:
        return np.full_like(u, mean)
    share = min(1.0, max(0.0, (mean - low) / width))
    if share < 1 / 3:
        return low + width * (1 - (1 - u) ** (share / (1 - share)))
    if share > 2 / 3:
        return low + width * u ** ((1 - share) / share)
    turn = min(1.0, max(0.0, 3 * share - 1))
    return np.where(u <= turn, low + np.sqrt(u * turn) * width, high - np.sqrt((1 - u) * (1 - turn)) * width)


def uniforms(seed: int, rows: int, columns: int) -> np.ndarray:
    """Return numbers between 0 and 1, both excluded, from a hash of seed and position."""
    import numpy as np

    x = np.arange(rows * columns, dtype=np.uint32) * np.uint32(_STEP)
    for _ in range(2):
        x = x ^ np.uint32(seed)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        x = x ^ (x >> np.uint32(16))
    numbers: np.ndarray = ((x.astype(float) + 0.5) / 2.0**32).reshape(rows, columns)
    return numbers


# Coefficients of Acklam's approximation.
_A = (
    -39.69683028665376,
    220.9460984245205,
    -275.9285104469687,
    138.3577518672690,
    -30.66479806614716,
    2.506628277459239,
)
_B = (-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1.0)
_C = (
    -0.007784894002430293,
    -0.3223964580411365,
    -2.400758277161838,
    -2.549732539343734,
    4.374664141464968,
    2.938163982698783,
)
_D = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0)
_TAIL = 0.02425


def _normal(u: np.ndarray) -> np.ndarray:
    """Invert the normal distribution (Acklam's rational approximation, relative error 1.2e-9)."""
    import numpy as np

    centre = u - 0.5
    square = centre * centre
    middle = centre * _horner(_A, square) / _horner(_B, square)
    far = np.sqrt(-2 * np.log(np.minimum(u, 1 - u)))
    tail = _horner(_C, far) / _horner(_D, far)
    values: np.ndarray = np.where(np.minimum(u, 1 - u) >= _TAIL, middle, np.where(u < 0.5, tail, -tail))
    return values


def _horner(coefficients: Sequence[float], x: Any) -> Any:
    total = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total
