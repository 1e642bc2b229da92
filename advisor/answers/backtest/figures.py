"""Figures for forecasts of yes or no, each computed from outcomes and scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BINS = 10
Z95 = 1.96
TOLERANCE = 1e-10  # of Newton's steps


def auc(outcomes: np.ndarray, score: np.ndarray) -> float:
    """Return the chance that a positive outcome has a higher score than a negative one; ties count half.

    Mann & Whitney 1947. NaN if all outcomes are equal.
    """
    import numpy as np

    positives = float(outcomes.sum())
    negatives = len(outcomes) - positives
    if not positives or not negatives:
        return math.nan
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    above = ranks[outcomes == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def average_precision(outcomes: np.ndarray, score: np.ndarray) -> float:
    """Return the mean precision at each positive outcome, best score first; equal scores are one step."""
    import numpy as np

    if not outcomes.sum():
        return math.nan
    order = np.argsort(-score, kind="stable")
    hits, scores = np.cumsum(outcomes[order]), score[order]
    last = np.append(np.diff(scores) != 0, True)
    hits, counts = hits[last], np.arange(1, len(scores) + 1)[last]
    return float((np.diff(hits, prepend=0) * hits / counts).sum() / hits[-1])


def brier(outcomes: np.ndarray, chances: np.ndarray) -> float:
    """Return the mean squared distance of the chances from the outcomes (Brier 1950)."""
    return float(((chances - outcomes) ** 2).mean())


def calibration_table(outcomes: np.ndarray, chances: np.ndarray, bins: int = BINS) -> list[dict[str, float]]:
    """Return bins of equal size, ordered by chance.

    Returns:
        One row for each bin: ``n``, mean ``predicted``, share ``observed``, and the Wilson bounds ``low``
        and ``high`` of that share.
    """
    import numpy as np

    parts = np.array_split(np.argsort(chances, kind="stable"), bins)
    table = []
    for part in parts:
        if not len(part):
            continue
        n, k = len(part), float(outcomes[part].sum())
        low, high = wilson(k, n)
        table.append(
            {"n": n, "predicted": float(chances[part].mean()), "observed": k / n, "low": low, "high": high}
        )
    return table


def calibration_error(outcomes: np.ndarray, chances: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error: mean distance of predicted from observed, bins of equal size."""
    table = calibration_table(outcomes, chances, bins)
    return sum(row["n"] * abs(row["predicted"] - row["observed"]) for row in table) / len(outcomes)


def wilson(k: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of the share k of n (Wilson 1927)."""
    middle = (k + Z95**2 / 2) / (n + Z95**2)
    half = Z95 * (k * (n - k) / n + Z95**2 / 4) ** 0.5 / (n + Z95**2)
    return max(0.0, middle - half), min(1.0, middle + half)


def platt(log_odds: np.ndarray, outcomes: np.ndarray) -> tuple[float, float]:
    """Return intercept and slope of the logistic line from log-odds to outcomes (Platt 1999)."""
    import numpy as np

    inputs = np.column_stack([np.ones(len(log_odds)), log_odds])
    line = np.array([0.0, 1.0])
    for _ in range(50):  # pragma: no branch - Newton's method needs fewer steps
        chances = 1 / (1 + np.exp(-(inputs @ line)))
        gradient = inputs.T @ (outcomes - chances)
        curvature = (inputs * (chances * (1 - chances))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        line = line + step
        if abs(step).max() < TOLERANCE:
            break
    return float(line[0]), float(line[1])


def bootstrap(
    figure: Callable[[np.ndarray], float], groups: np.ndarray, draws: int, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a figure from samples of whole groups with replacement (Efron 1979).

    A group is a repository: its rows in many windows are not independent, so rows alone are not drawn.

    Args:
        figure: a function from row numbers to a value.
        groups: the group of each row.
        draws: number of samples.
        seed: seed of the random numbers.

    Returns:
        The 2.5 % and 97.5 % quantiles of the samples in which the figure is defined; NaN if there are none.
    """
    import numpy as np

    names, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(member))[:-1])
    generator = np.random.default_rng(seed)
    samples = []
    for _ in range(draws):
        sample = generator.integers(len(names), size=len(names))
        samples.append(figure(np.concatenate([rows_of[i] for i in sample])))
    values = np.array([v for v in samples if not np.isnan(v)])
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
