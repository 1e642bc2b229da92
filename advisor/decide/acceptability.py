"""How sure the order is: in how many of many weightings and values each candidate takes each rank.

Stochastic multicriteria acceptability analysis (SMAA-2; Lahdelma & Salminen 2001). A draw takes weights
around the goal's and, for every criterion of every candidate, a utility from a triangle over its interval
with the measured point as its peak. A candidate has random numbers of its own, made from its name: the
others' presence does not change them. They come from a hash of a counter (the finaliser of MurmurHash3,
Appleby), so that the page of `advisor dashboard` draws the very same ones.
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
# A weight is drawn from a gamma distribution with the goal's weight as mean and this many "observations"
# in all: about a third of relative spread for a criterion that weighs a quarter.
CONCENTRATION = 30.0
# The verdict: share of the draws in which one candidate comes first.
CLEAR, LEANING = 0.8, 0.6
_STEP = 0x9E3779B9  # 2^32 over the golden ratio


@dataclass(frozen=True)
class Acceptability:
    """Shares of the draws.

    Attributes:
        ranks: candidate → share of the draws in which it takes rank 1, 2, …; equal scores share ranks.
        pairwise: candidate → other → share in which the first scores higher; equal scores count half.
        central_weights: candidate → criterion → mean weight over the draws that it wins, adding up to 1;
            empty for one that never wins.
    """

    ranks: Mapping[str, tuple[float, ...]]
    pairwise: Mapping[str, Mapping[str, float]]
    central_weights: Mapping[str, Mapping[str, float]]


def seed_of(name: str) -> int:
    """The 32-bit seed of a candidate, from its name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def verdict(share: float) -> Literal["clear", "leaning", "tie"]:
    """``clear``, ``leaning`` or ``tie``, by the share of the draws that the first of them wins."""
    return "clear" if share >= CLEAR else "leaning" if share >= LEANING else "tie"


def accept(
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
    mass = math.fsum(weights.get(c, 0.0) for c in criteria)
    drawn = draw_weights([weights.get(c, 0.0) / mass for c in criteria], draws)
    totals = np.stack(
        [(draw_utilities(scores[n], seed_of(n), draws) * drawn).sum(axis=1) for n in names], axis=1
    )
    higher = totals[:, :, None] > totals[:, None, :]
    equal = totals[:, :, None] == totals[:, None, :]
    above = higher.sum(axis=1)  # how many score higher than each
    level = equal.sum(axis=1)  # how many score the same, itself among them
    ranks = np.zeros((len(names), len(names)))
    for place in range(len(names)):
        inside = (above <= place) & (place < above + level)
        ranks[:, place] = (inside / level).mean(axis=0)
    wins = higher.mean(axis=0) + equal.mean(axis=0) / 2
    first = above == 0
    return Acceptability(
        ranks={n: tuple(map(float, ranks[i])) for i, n in enumerate(names)},
        pairwise={
            n: {other: float(wins[i, j]) for j, other in enumerate(names) if j != i}
            for i, n in enumerate(names)
        },
        central_weights={
            n: _central(drawn[first[:, i]], criteria) if first[:, i].any() else {}
            for i, n in enumerate(names)
        },
    )


def _central(drawn: np.ndarray, criteria: Sequence[str]) -> dict[str, float]:
    shares = (drawn / drawn.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(criteria, map(float, shares), strict=True))


def draw_weights(weights: Sequence[float], draws: int) -> np.ndarray:
    """Weights around these, one row a draw; gamma by the cube of a normal (Wilson & Hilferty 1931)."""
    import numpy as np

    normal = _normal(uniforms(0, draws, len(weights)))
    shape = CONCENTRATION * np.array(weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        gamma = shape * np.maximum(0.0, 1 - 1 / (9 * shape) + normal / (3 * np.sqrt(shape))) ** 3
    found: np.ndarray = np.where(shape > 0, gamma, 0.0)
    return found


def draw_utilities(criteria: Sequence[CriterionScore], seed: int, draws: int) -> np.ndarray:
    """Utilities of a candidate, one row a draw and one column a criterion, each from its triangle."""
    import numpy as np

    low, high = (np.array([getattr(c, end) for c in criteria]) for end in ("low", "high"))
    peak = np.array([(c.low + c.high) / 2 if c.utility is None else c.utility for c in criteria])
    width = np.where(high > low, high - low, 1.0)
    turn = (peak - low) / width
    u = uniforms(seed, draws, len(criteria))
    rising = low + np.sqrt(u * turn) * width
    falling = high - np.sqrt((1 - u) * (1 - turn)) * width
    found: np.ndarray = np.where(high > low, np.where(u <= turn, rising, falling), peak)
    return found


def uniforms(seed: int, rows: int, columns: int) -> np.ndarray:
    """Numbers between 0 and 1, never either, from a hash of seed and place."""
    import numpy as np

    x = np.arange(rows * columns, dtype=np.uint32) * np.uint32(_STEP)
    for _ in range(2):
        x = x ^ np.uint32(seed)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        x = x ^ (x >> np.uint32(16))
    found: np.ndarray = ((x.astype(float) + 0.5) / 2.0**32).reshape(rows, columns)
    return found


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
    """Inverse of the normal distribution (Acklam's rational approximation, relative error 1.2e-9)."""
    import numpy as np

    centre = u - 0.5
    square = centre * centre
    middle = centre * _horner(_A, square) / _horner(_B, square)
    far = np.sqrt(-2 * np.log(np.minimum(u, 1 - u)))
    tail = _horner(_C, far) / _horner(_D, far)
    found: np.ndarray = np.where(np.minimum(u, 1 - u) >= _TAIL, middle, np.where(u < 0.5, tail, -tail))
    return found


def _horner(coefficients: Sequence[float], x: Any) -> Any:
    total = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total
