"""Predict outlooks with the trees of a readable file, and show the contribution of each feature.

For each outcome (abandoned, collapsed) the file has small regression trees whose leaves add up to log-odds
(gradient boosting, Friedman 2001), and two straight lines that turn the sum into calibrated chances for 12
and 24 months (Platt 1999). A chance for 24 months is at least that for 12, and a collapse is at least as
likely as abandonment: a library without commits has collapsed too.

There are five sets of trees, and each was trained without a fifth of the libraries. The model
scores a library of the training data with the set that was trained without it, and any other library with
the mean of all sets. So no figure of a back-test is for a library that the trees were trained on.

A blank value in the panel follows the branch that blanks took in training. A value that a source cannot
provide follows both branches, weighted by the number of libraries in each: the mean over the reference
population. The contribution of a feature is the change of the expected value along the path (Saabas 2014).
So the base and the contributions add up exactly to the log-odds.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError
from advisor.model import Contribution, Outlook
from advisor.outlook.features import FEATURES
from advisor.outlook.panel import FEWEST_COMMITS, YEAR

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FORMAT = 2
ABANDONMENT, COLLAPSE = "abandoned", "collapsed"
# The model abstains if features with more than this share of its importance are unknown or out of range.
MAX_UNKNOWN_SHARE = 0.5
Z95 = 1.96
COMMITS_A_MONTH, MONTH_DAYS = "commits_a_month_400", 30
MIN_CONTRIBUTION = 0.02  # log-odds; smaller contributions are not shown


@dataclass(frozen=True)
class Calibration:
    """A straight line from log-odds to calibrated log-odds.

    Attributes:
        intercept, slope: of the line.
        bins: (highest log-odds, low, high): the Wilson interval of the share of libraries with these log-odds
            with the outcome, from trees trained without them; each library counts once.
    """

    intercept: float
    slope: float
    bins: Sequence[tuple[float, float, float]]

    def observed_interval(self, log_odds: float) -> tuple[float, float]:
        """Return the interval of the observed share of libraries with the outcome at these log-odds."""
        low_high = next((b for b in self.bins if log_odds <= b[0]), self.bins[-1])
        return low_high[1], low_high[2]

    def chance(self, log_odds: float) -> float:
        """Return the calibrated chance."""
        return 1 / (1 + math.exp(-(self.intercept + self.slope * log_odds)))


@dataclass(frozen=True)
class Tree:
    """A regression tree as columns of nodes; node 0 is the root.

    Attributes:
        feature: index into the model's features; -1 for a leaf.
        threshold: values up to this one go left.
        left, right: nodes below; -1 for a leaf.
        blank_left: whether a blank goes left.
        value: expected log-odds at the node; for a leaf, its contribution to the sum.
        count: training rows at the node.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    blank_left: tuple[int, ...]
    value: tuple[float, ...]
    count: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """What a model file has for one outcome; see `load_model`.

    Attributes:
        features: names of the features, in the order of the trees' indices.
        folds: the sets of trees; set k was trained without the repositories whose `fold_of` is k.
        trained_on: digests of the names of all repositories in the training data.
        ranges: feature → (lowest, highest) value in training, without the outermost thousandth.
        importance: feature → its share of what the trees explain; the shares add up to 1.
        spreads: feature → standard deviation of its contribution over the reference population.
        calibrations: months → line.
        longest_idle_days: longest time without commits of a library in the training data.
        about: the training data, in words and hashes.
    """

    features: tuple[str, ...]
    folds: tuple[tuple[Tree, ...], ...]
    trained_on: frozenset[str]
    ranges: Mapping[str, tuple[float, float]]
    importance: Mapping[str, float]
    spreads: Mapping[str, float]
    calibrations: Mapping[int, Calibration]
    longest_idle_days: float
    about: Mapping[str, Any]


def digest(repository: str) -> str:
    """Return a short hash of a repository's name, for the list of repositories in training."""
    return hashlib.sha256(repository.lower().encode()).hexdigest()[:10]


def fold_of(repository: str, folds: int) -> int:
    """Return the number of the set of trees trained without a repository; it depends only on its name."""
    return int(digest(repository), 16) % folds


@cache
def load_model(path: Path, outcome: str = ABANDONMENT) -> Model:
    """Read what a model file has for one outcome.

    Args:
        path: the file.
        outcome: `ABANDONMENT` or `COLLAPSE`.

    Raises:
        FactsError: it is missing, damaged or of another format.
    """
    content = _read_content(path)
    try:
        part = content["outcomes"][outcome]
        return Model(
            features=tuple(content["features"]),
            folds=tuple(tuple(_tree(columns) for columns in trees) for trees in part["folds"]),
            trained_on=frozenset(content["trained_on"]),
            ranges={name: (low, high) for name, (low, high) in content["ranges"].items()},
            importance=part["importance"],
            spreads=part["spreads"],
            calibrations={int(m): Calibration(**c) for m, c in part["calibrations"].items()},
            longest_idle_days=content["longest_idle_days"],
            about=content["about"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FactsError(f"cannot read the outlook's model {path}: {error!r}") from None


@cache
def _read_content(path: Path) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise FactsError(
                f"{path}: the model has format {content['format']}, but this version reads format {FORMAT}"
            )
        unknown = set(content["features"]) - set(FEATURES)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FactsError(f"cannot read the outlook's model {path}: {error!r}") from None
    if unknown:
        raise FactsError(f"{path}: this version cannot compute the features {', '.join(sorted(unknown))}")
    return content


def _tree(columns: Mapping[str, list[Any]]) -> Tree:
    return Tree(**{name: tuple(column) for name, column in columns.items()})


def sum_log_odds(model: Model, features: pd.DataFrame, repositories: pd.Series[str]) -> np.ndarray:
    """Return the sum of the trees for many rows; NaN is a blank.

    Args:
        model: the trees.
        features: as `compute.compute_features` returns them.
        repositories: the repository of each row.

    Returns:
        One float64 per row: log-odds.
    """
    import numpy as np

    values = features[list(model.features)].to_numpy(dtype=float)
    names, place = np.unique(repositories.to_numpy(dtype=str), return_inverse=True)
    folds = len(model.folds)
    unseen_by = np.array([fold_of(n, folds) if digest(n) in model.trained_on else -1 for n in names])[place]
    total = np.zeros(len(values))
    for k, trees in enumerate(model.folds):
        subset = np.flatnonzero((unseen_by == k) | (unseen_by < 0))
        share = np.where(unseen_by[subset] < 0, 1 / folds, 1.0)
        total[subset] += share * sum_trees(trees, values[subset])
    return total


def sum_trees(trees: Sequence[Tree], values: np.ndarray) -> np.ndarray:
    """Return the sum of a set of trees for an array of shape (rows, features)."""
    import numpy as np

    total = np.zeros(len(values))
    rows = np.arange(len(values))
    blank = np.isnan(values)
    for tree in trees:
        feature, threshold = np.array(tree.feature), np.array(tree.threshold)
        below = np.array([tree.right, tree.left])
        is_blank_left = np.array(tree.blank_left, dtype=bool)
        at = np.zeros(len(values), dtype=np.intp)
        moving = rows
        while len(moving):
            node = at[moving]
            column = feature[node]
            is_left = values[moving, column] <= threshold[node]
            is_left |= blank[moving, column] & is_blank_left[node]
            at[moving] = below[is_left.astype(np.intp), node]
            moving = moving[feature[at[moving]] >= 0]
        total += np.array(tree.value)[at]
    return total


def predict_probabilities(
    model: Model, features: pd.DataFrame, repositories: pd.Series[str], months: int
) -> np.ndarray:
    """Return the calibrated chance of the outcome, one per row; it does not fall with the horizon.

    Raises:
        KeyError: the model has no calibration for these months.
    """
    import numpy as np

    log_odds = sum_log_odds(model, features, repositories)
    lines = [model.calibrations[m] for m in {months, *(m for m in model.calibrations if m < months)}]
    highest = np.max([line.intercept + line.slope * log_odds for line in lines], axis=0)
    chances: np.ndarray = 1 / (1 + np.exp(-highest))
    return chances


def explain_log_odds(
    model: Model, trees: Sequence[Tree], values: Mapping[str, float | None], unknown: Collection[str] = ()
) -> tuple[float, dict[str, float]]:
    """Return the log-odds of one library from one set of trees, and each feature's contribution.

    Args:
        model: the model with the names of the features.
        trees: one of its sets.
        values: feature → value; None or NaN is a blank.
        unknown: features that the source cannot provide.

    Returns:
        The log-odds, and feature → contribution for every feature on the paths.
    """
    contributions: dict[str, float] = {}
    unknown_indices = {i for i, name in enumerate(model.features) if name in unknown}
    numbers = [_number(values.get(name)) for name in model.features]
    for tree in trees:
        waiting = [(0, 1.0)]
        while waiting:
            at, weight = waiting.pop()
            feature = tree.feature[at]
            if feature < 0:
                continue
            ways = [tree.left[at], tree.right[at]]
            if feature in unknown_indices:
                # Follow both branches: a node's value is the weighted mean of the two nodes below it.
                waiting += [(way, weight * tree.count[way] / tree.count[at]) for way in ways]
                continue
            value = numbers[feature]
            is_left = tree.blank_left[at] if math.isnan(value) else value <= tree.threshold[at]
            way = ways[0] if is_left else ways[1]
            name = model.features[feature]
            change = weight * (tree.value[way] - tree.value[at])
            contributions[name] = contributions.get(name, 0.0) + change
            waiting.append((way, weight))
    base = math.fsum(tree.value[0] for tree in trees)
    return base + math.fsum(contributions.values()), contributions


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


@dataclass(frozen=True)
class _Sum:
    """The log-odds of one library: mean, standard error, and the mean contribution of each feature."""

    log_odds: float
    error: float
    contributions: Mapping[str, float]


def _sum_sets(model: Model, values: Mapping[str, float | None], missing: Collection[str]) -> _Sum:
    results = [explain_log_odds(model, trees, values, missing) for trees in model.folds]
    count = len(results)
    total = math.fsum(odds for odds, _ in results) / count
    spread = math.sqrt(math.fsum((odds - total) ** 2 for odds, _ in results) / (count - 1 or 1))
    means = {
        name: math.fsum(each.get(name, 0.0) for _, each in results) / count
        for name in {n for _, each in results for n in each}
    }
    return _Sum(total, math.hypot(spread, *(model.spreads.get(name, 0.0) for name in missing)), means)


_Chance = tuple[float, float, float]  # the chance and its interval


def _chances(
    model: Model, result: _Sum, horizons: Sequence[int], least: Mapping[int, _Chance] | None = None
) -> dict[int, _Chance]:
    """Return months → chance, low, high; none is below that of an earlier horizon or of ``least``."""
    chances: dict[int, _Chance] = {}
    floor = (0.0, 0.0, 0.0)
    for months in sorted({*model.calibrations, *horizons}):
        line = model.calibrations[months]
        log_odds, half = result.log_odds, Z95 * result.error
        low, high = line.observed_interval(log_odds)
        own = (
            line.chance(log_odds),
            min(line.chance(log_odds - half), low),
            max(line.chance(log_odds + half), high),
        )
        floor = _at_least(_at_least(own, floor), (least or {}).get(months, floor))
        chances[months] = floor
    return {months: chances[months] for months in horizons}


def _at_least(chance: _Chance, floor: _Chance) -> _Chance:
    return max(chance[0], floor[0]), max(chance[1], floor[1]), max(chance[2], floor[2])


def predict_outlooks(
    model: Model,
    values: Mapping[str, float | None],
    horizons: Sequence[int],
    unknown: Collection[str] = (),
    collapse: Model | None = None,
) -> tuple[Outlook, ...]:
    """Return the outlook of one library, one per horizon.

    The interval covers three uncertainties: the observed results of libraries with the same outlook, the
    differences between the sets of trees, and the usual contribution of each feature that is unknown or out
    of range.

    Args:
        model: the trees for abandonment.
        values: feature → value; None or NaN is a blank.
        horizons: in months.
        unknown: features that the source cannot provide.
        collapse: the trees for a collapse; None: the outlooks do not have its chance.

    Raises:
        KeyError: the model has no calibration for one of the horizons.
    """
    outside = _out_of_range(model, values)
    missing = {*unknown, *outside}
    abstention = _abstention_reason(model, values, missing)
    if abstention:
        return tuple(Outlook(m, None, 0.0, 1.0, abstained=True, reason=abstention) for m in horizons)
    result = _sum_sets(model, values, missing)
    chances = _chances(model, result, horizons)
    contributions = tuple(
        Contribution(name, FEATURES[name].title, _known_value(values.get(name)), log_odds)
        for name, log_odds in sorted(result.contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
        if abs(log_odds) >= MIN_CONTRIBUTION
    )
    titles = ", ".join(sorted(FEATURES[name].title for name in outside))
    reason = f"outside the range of the training data, so treated as unknown: {titles}" if outside else ""
    outlooks = {
        m: Outlook(m, *chances[m], abstained=False, reason=reason, contributions=contributions)
        for m in horizons
    }
    if collapse is not None and _can_collapse(values, missing):
        for months, chance in _chances(
            collapse, _sum_sets(collapse, values, missing), horizons, chances
        ).items():
            outlooks[months] = replace(
                outlooks[months], collapse=chance[0], collapse_low=chance[1], collapse_high=chance[2]
            )
    return tuple(outlooks[m] for m in horizons)


def _can_collapse(values: Mapping[str, float | None], missing: Collection[str]) -> bool:
    """Return whether the library had enough commits in the last year for a collapse to mean something."""
    monthly = _number(values.get(COMMITS_A_MONTH))
    return COMMITS_A_MONTH not in missing and monthly * YEAR / MONTH_DAYS >= FEWEST_COMMITS


def _abstention_reason(model: Model, values: Mapping[str, float | None], missing: Collection[str]) -> str:
    """Return why the model makes no prediction for this library; empty if it makes one."""
    idle = _number(values.get("idle_days"))
    if not idle < model.longest_idle_days + 1:  # days, as in the cohorts of the training
        if math.isnan(idle):
            return "no commit is known"
        since = f"no commit for {idle:.0f} days"
        if model.longest_idle_days >= YEAR:
            return f"{since}: it is abandoned already"
        return (
            f"{since}; the model was trained only on libraries with a commit in the last"
            f" {model.longest_idle_days:.0f} days"
        )
    share = math.fsum(model.importance.get(name, 0.0) for name in missing)
    if share > MAX_UNKNOWN_SHARE:
        names = sorted(missing, key=lambda n: (-model.importance.get(n, 0.0), n))[:3]
        titles = ", ".join(FEATURES[name].title for name in names)
        return (
            f"features with {share:.0%} of the model's importance are unknown or outside the range of the"
            f" training data ({titles}, …)"
        )
    return ""


def _known_value(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _out_of_range(model: Model, values: Mapping[str, float | None]) -> set[str]:
    names = set()
    for name, (low, high) in model.ranges.items():
        value = _known_value(values.get(name))
        if value is not None and not low <= value <= high:
            names.add(name)
    return names
