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
The roots and the contributions add up to the log-odds, but for the rounding of the values in the file.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError
from advisor.files import read_text
from advisor.outlook.features import FEATURES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FORMAT = 2
ABANDONMENT, COLLAPSE = "abandoned", "collapsed"


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
class Forest:
    """The nodes of a set of trees, one array for each column of `Tree`, and the place of each root."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    blank_left: np.ndarray
    value: np.ndarray
    count: np.ndarray
    roots: np.ndarray


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

    @cached_property
    def forests(self) -> tuple[Forest, ...]:
        """The sets of trees as arrays."""
        return tuple(join_trees(trees) for trees in self.folds)


def digest(repository: str) -> str:
    """Return a short hash of a repository's name, for the list of repositories in training."""
    return hashlib.sha256(repository.lower().encode()).hexdigest()[:10]


def fold_of(repository: str, folds: int) -> int:
    """Return the number of the set of trees trained without a repository; it depends only on its name."""
    return int(digest(repository), 16) % folds


def find_unseen_set(model: Model, names: Iterable[str]) -> int | None:
    """Return the number of the set of trees that did not see a library; None if no set saw it.

    Args:
        model: the model.
        names: the names of the library's repository, now and before; the training data may have any of them.
    """
    trained_names = [name for name in names if digest(name) in model.trained_on]
    return fold_of(trained_names[0], len(model.folds)) if trained_names else None


@cache
def load_model(path: Path, outcome: str = ABANDONMENT) -> Model:
    """Read what a model file has for one outcome.

    Args:
        path: the file.
        outcome: `ABANDONMENT` or `COLLAPSE`.

    Raises:
        InputError: it cannot be read.
        FactsError: it is damaged or of another format.
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
        content: Mapping[str, Any] = json.loads(read_text(path))
        if content["format"] != FORMAT:
            raise FactsError(
                f"{path}: the model has format {content['format']}, but this version reads format {FORMAT}"
            )
        unknown = set(content["features"]) - set(FEATURES)
    except (ValueError, KeyError, TypeError) as error:
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


def join_trees(trees: Sequence[Tree]) -> Forest:
    """Return a set of trees as arrays of all nodes."""
    import numpy as np

    sizes = [len(tree.feature) for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    columns = {f.name: np.concatenate([getattr(tree, f.name) for tree in trees]) for f in fields(Tree)}
    shift = np.repeat(roots, sizes)
    for name in ("left", "right"):
        columns[name] = columns[name] + shift
    columns["blank_left"] = columns["blank_left"].astype(bool)
    return Forest(**columns, roots=roots)


def explain_trees(forest: Forest, values: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds of libraries from one set of trees, and the contribution of each feature.

    The result of a row does not depend on the other rows, not even in its last digit.

    Args:
        forest: the set of trees.
        values: float array of shape (rows, features); NaN is a blank.
        unknown: which of them the source cannot provide, bool of the same shape. Their value at a node is the
            weighted mean of the two nodes below it.

    Returns:
        The log-odds, shape (rows,), and the contributions, shape (rows, features).
    """
    import numpy as np

    rows, features = values.shape
    log_odds, contributions = np.zeros(rows), np.zeros(rows * features)
    # Each entry is a row at a node, with the share of the row that gets there.
    row = np.repeat(np.arange(rows), len(forest.roots))
    node = np.tile(forest.roots, rows)
    weight = np.ones(len(row))
    while len(row):
        is_leaf = forest.feature[node] < 0
        leaves = weight[is_leaf] * forest.value[node[is_leaf]]
        log_odds += np.bincount(row[is_leaf], leaves, minlength=rows)
        row, node, weight = row[~is_leaf], node[~is_leaf], weight[~is_leaf]
        feature = forest.feature[node]
        value = values[row, feature]
        is_left = np.where(np.isnan(value), forest.blank_left[node], value <= forest.threshold[node])
        way = np.where(is_left, forest.left[node], forest.right[node])
        both = unknown[row, feature]
        one = ~both
        change = weight[one] * (forest.value[way[one]] - forest.value[node[one]])
        contributions += np.bincount(row[one] * features + feature[one], change, minlength=rows * features)
        branches = [forest.left[node[both]], forest.right[node[both]]]
        shares = [weight[both] * forest.count[branch] / forest.count[node[both]] for branch in branches]
        row = np.concatenate([row[one], row[both], row[both]])
        node, weight = np.concatenate([way[one], *branches]), np.concatenate([weight[one], *shares])
    return log_odds, contributions.reshape(rows, features)


def as_number(value: float | None) -> float:
    """Return a value for the trees: NaN is a blank."""
    return math.nan if value is None else float(value)
