"""The figures of a forecast of yes or no, each from outcomes and scores alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BINS = 10
Z95 = 1.96
CLOSE = 1e-10  # of Newton's steps


def auc(happened: np.ndarray, score: np.ndarray) -> float:
    """Chance that one that happened scores above one that did not; ties count half.

    Mann & Whitney 1947. NaN where only one of the two is there.
    """
    import numpy as np

    positives = float(happened.sum())
    negatives = len(happened) - positives
    if not positives or not negatives:
        return math.nan
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    above = ranks[happened == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def average_precision(happened: np.ndarray, score: np.ndarray) -> float:
    """Mean precision at each one that happened, highest score first; equal scores come together."""
    import numpy as np

    if not happened.sum():
        return math.nan
    order = np.argsort(-score, kind="stable")
    hits, scores = np.cumsum(happened[order]), score[order]
    last = np.append(np.diff(scores) != 0, True)
    hits, taken = hits[last], np.arange(1, len(scores) + 1)[last]
    return float((np.diff(hits, prepend=0) * hits / taken).sum() / hits[-1])


def brier(happened: np.ndarray, chance: np.ndarray) -> float:
    """Mean squared distance of the chance from what happened (Brier 1950)."""
    return float(((chance - happened) ** 2).mean())


def calibration_table(happened: np.ndarray, chance: np.ndarray, bins: int = BINS) -> list[dict[str, float]]:
    """Bins of equal size by chance.

    Returns:
        One row a bin: ``n``, mean ``predicted``, share ``observed``, its Wilson bounds ``low`` and ``high``.
    """
    import numpy as np

    parts = np.array_split(np.argsort(chance, kind="stable"), bins)
    found = []
    for part in parts:
        if not len(part):
            continue
        n, k = len(part), float(happened[part].sum())
        low, high = wilson(k, n)
        found.append(
            {"n": n, "predicted": float(chance[part].mean()), "observed": k / n, "low": low, "high": high}
        )
    return found


def calibration_error(happened: np.ndarray, chance: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean distance of predicted from observed over bins of equal size."""
    table = calibration_table(happened, chance, bins)
    return sum(row["n"] * abs(row["predicted"] - row["observed"]) for row in table) / len(happened)


def wilson(k: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    middle = (k + Z95**2 / 2) / (n + Z95**2)
    half = Z95 * (k * (n - k) / n + Z95**2 / 4) ** 0.5 / (n + Z95**2)
    return max(0.0, middle - half), min(1.0, middle + half)


def platt(log_odds: np.ndarray, happened: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the logistic line from a score to what happened (Platt 1999), by Newton."""
    import numpy as np

    inputs = np.column_stack([np.ones(len(log_odds)), log_odds])
    line = np.array([0.0, 1.0])
    for _ in range(50):  # pragma: no branch - Newton is there long before
        chance = 1 / (1 + np.exp(-(inputs @ line)))
        gradient = inputs.T @ (happened - chance)
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        line = line + step
        if abs(step).max() < CLOSE:
            break
    return float(line[0]), float(line[1])


def bootstrap(
    figure: Callable[[np.ndarray], float], groups: np.ndarray, draws: int, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a figure by drawing whole groups (repositories) with replacement (Efron 1979).

    A repository stands in many windows; drawing rows would take its copies for independent ones.

    Args:
        figure: from row numbers to a value.
        groups: the group of each row.
        draws: number of samples.
        seed: of the draws.

    Returns:
        The 2.5 % and 97.5 % quantiles of the draws in which the figure is defined; NaN if in none.
    """
    import numpy as np

    names, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(member))[:-1])
    chosen = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        picked = chosen.integers(len(names), size=len(names))
        values.append(figure(np.concatenate([rows_of[i] for i in picked])))
    defined = np.array([v for v in values if not np.isnan(v)])
    if not len(defined):
        return math.nan, math.nan
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
