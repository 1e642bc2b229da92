"""Score features with the trees of a readable file, and say what each feature added.

The file holds small regression trees whose leaves add up to log-odds of inactivity (gradient boosting,
Friedman 2001), and two straight lines that turn the sum into calibrated chances for 12 and 24 months
(Platt 1999). There are five sets of trees, each of which has not seen a fifth of the libraries. One that
was trained on is scored by the set that did not see it, any other by the mean of all: no figure of a
back-test is of a library that the trees know.

A value that the lists leave blank goes where blanks went in training. A value that a source cannot know
at all goes both ways, weighted by how many libraries went each way: the mean over the reference
population. What a feature adds is the change of the expected value along the path (Saabas 2014), so that
the additions and the base sum to the log-odds exactly.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError
from advisor.model import Contribution, Outlook
from advisor.outlook.features import FEATURES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FORMAT = 1
# It abstains if features that carry more than this share of its weight are unknown or out of range.
MOST_UNKNOWN = 0.5
Z95 = 1.96
WORTH_SAYING = 0.02  # a smaller addition to the log-odds is no explanation


@dataclass(frozen=True)
class Calibration:
    """A straight line from log-odds to calibrated log-odds.

    Attributes:
        intercept, slope: of the line.
        bins: (highest log-odds, low, high): the Wilson interval of what came of libraries that the
            trees, not having seen them, put there; each library counts once.
    """

    intercept: float
    slope: float
    bins: Sequence[tuple[float, float, float]]

    def seen(self, log_odds: float) -> tuple[float, float]:
        """The interval of what came of libraries that were put where these log-odds are."""
        low_high = next((b for b in self.bins if log_odds <= b[0]), self.bins[-1])
        return low_high[1], low_high[2]

    def chance(self, log_odds: float) -> float:
        """The calibrated chance."""
        return 1 / (1 + math.exp(-(self.intercept + self.slope * log_odds)))


@dataclass(frozen=True)
class Tree:
    """A regression tree as columns of nodes; node 0 is the root.

    Attributes:
        feature: index into the model's features; -1 for a leaf.
        threshold: a value at most as large goes left.
        left, right: nodes below; -1 for a leaf.
        blank_left: whether a blank goes left.
        value: expected log-odds at the node (of a leaf: what it adds).
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
    """What the file holds; see `load`.

    Attributes:
        features: their names, in the order of the trees' indices.
        folds: the sets of trees; set k was trained without the repositories of which `fold_of` is k.
        trained_on: digests of the names of all repositories trained on.
        ranges: feature → (lowest, highest) value seen, the outermost thousandth cut off.
        importance: feature → its share of all that the trees explain; they add up to 1.
        spreads: feature → standard deviation of what it adds, over the reference population.
        calibrations: months → line.
        longest_idle_days: a library idle for longer was not in the training set.
        about: what it was made from, in words and hashes.
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
    """A short name of a repository, for the list of those trained on."""
    return hashlib.sha256(repository.lower().encode()).hexdigest()[:10]


def fold_of(repository: str, folds: int) -> int:
    """The set of trees that has not seen a repository: from its name alone, whatever panel it is in."""
    return int(digest(repository), 16) % folds


@cache
def load(path: Path) -> Model:
    """Read a model file.

    Raises:
        FactsError: it is missing, damaged or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise FactsError(f"{path}: format {content['format']}, this version reads {FORMAT}")
        unknown = set(content["features"]) - set(FEATURES)
        if unknown:
            raise FactsError(
                f"{path}: features that this version does not make: {', '.join(sorted(unknown))}"
            )
        return Model(
            features=tuple(content["features"]),
            folds=tuple(tuple(_tree(columns) for columns in trees) for trees in content["folds"]),
            trained_on=frozenset(content["trained_on"]),
            ranges={name: (low, high) for name, (low, high) in content["ranges"].items()},
            importance=content["importance"],
            spreads=content["spreads"],
            calibrations={int(m): Calibration(**c) for m, c in content["calibrations"].items()},
            longest_idle_days=content["longest_idle_days"],
            about=content["about"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FactsError(f"the outlook's model {path} cannot be read: {error!r}") from None


def _tree(columns: Mapping[str, list[Any]]) -> Tree:
    return Tree(**{name: tuple(column) for name, column in columns.items()})


def log_odds(model: Model, features: pd.DataFrame, repositories: pd.Series[str]) -> np.ndarray:
    """The sum of the trees for many rows at once; NaN is a blank.

    Args:
        model: the trees.
        features: as `compute.features` gives them.
        repositories: whose row each is.

    Returns:
        One float64 a row.
    """
    import numpy as np

    values = features[list(model.features)].to_numpy(dtype=float)
    names, place = np.unique(repositories.to_numpy(dtype=str), return_inverse=True)
    folds = len(model.folds)
    unseen_by = np.array([fold_of(n, folds) if digest(n) in model.trained_on else -1 for n in names])[place]
    total = np.zeros(len(values))
    for k, trees in enumerate(model.folds):
        mine = np.flatnonzero((unseen_by == k) | (unseen_by < 0))
        share = np.where(unseen_by[mine] < 0, 1 / folds, 1.0)
        total[mine] += share * sum_of(trees, values[mine])
    return total


def sum_of(trees: Sequence[Tree], values: np.ndarray) -> np.ndarray:
    """What a set of trees says, for an array (rows, features)."""
    import numpy as np

    total = np.zeros(len(values))
    rows = np.arange(len(values))
    blank = np.isnan(values)
    for tree in trees:
        feature, threshold = np.array(tree.feature), np.array(tree.threshold)
        below = np.array([tree.right, tree.left])
        blank_left = np.array(tree.blank_left, dtype=bool)
        at = np.zeros(len(values), dtype=np.intp)
        moving = rows
        while len(moving):
            node = at[moving]
            column = feature[node]
            goes_left = values[moving, column] <= threshold[node]
            goes_left |= blank[moving, column] & blank_left[node]
            at[moving] = below[goes_left.astype(np.intp), node]
            moving = moving[feature[at[moving]] >= 0]
        total += np.array(tree.value)[at]
    return total


def probabilities(
    model: Model, features: pd.DataFrame, repositories: pd.Series[str], months: int
) -> np.ndarray:
    """Calibrated chance of inactivity, one a row.

    Raises:
        KeyError: the model has no calibration for these months.
    """
    import numpy as np

    line = model.calibrations[months]
    return 1 / (1 + np.exp(-(line.intercept + line.slope * log_odds(model, features, repositories))))


def explain(
    model: Model, trees: Sequence[Tree], values: Mapping[str, float | None], unknown: Collection[str] = ()
) -> tuple[float, dict[str, float]]:
    """Log-odds of one library by one set of trees, and what each feature adds to the base.

    Args:
        model: whose features they are.
        trees: one of its sets.
        values: feature → value; None or NaN is a blank.
        unknown: features that the source cannot know.

    Returns:
        The log-odds, and feature → addition for every feature that the paths meet.
    """
    added: dict[str, float] = {}
    hidden = {i for i, name in enumerate(model.features) if name in unknown}
    known = [_number(values.get(name)) for name in model.features]
    for tree in trees:
        waiting = [(0, 1.0)]
        while waiting:
            at, weight = waiting.pop()
            feature = tree.feature[at]
            if feature < 0:
                continue
            ways = [tree.left[at], tree.right[at]]
            if feature in hidden:
                # The two weigh out: a node's value is the mean of those below it.
                waiting += [(way, weight * tree.count[way] / tree.count[at]) for way in ways]
                continue
            value = known[feature]
            goes_left = tree.blank_left[at] if math.isnan(value) else value <= tree.threshold[at]
            way = ways[0] if goes_left else ways[1]
            name = model.features[feature]
            added[name] = added.get(name, 0.0) + weight * (tree.value[way] - tree.value[at])
            waiting.append((way, weight))
    base = math.fsum(tree.value[0] for tree in trees)
    return base + math.fsum(added.values()), added


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def outlooks(
    model: Model, values: Mapping[str, float | None], horizons: Sequence[int], unknown: Collection[str] = ()
) -> tuple[Outlook, ...]:
    """The outlook of one library, one a horizon.

    The interval takes in what came of libraries with the same outlook, how far sets trained on other
    repositories lie apart, and for every feature that is unknown or out of the seen range how much it
    moves libraries as a rule.

    Args:
        model: the trees.
        values: feature → value; None or NaN is a blank.
        horizons: in months.
        unknown: features that the source cannot know.

    Raises:
        KeyError: the model has no calibration for one of the horizons.
    """
    outside = _outside(model, values)
    dark = {*unknown, *outside}
    why_not = _why_not(model, values, dark)
    if why_not:
        return tuple(Outlook(m, None, 0.0, 1.0, abstained=True, reason=why_not) for m in horizons)
    said = [explain(model, trees, values, dark) for trees in model.folds]
    total = math.fsum(odds for odds, _ in said) / len(said)
    apart = math.sqrt(math.fsum((odds - total) ** 2 for odds, _ in said) / (len(said) - 1 or 1))
    doubt = math.hypot(apart, *(model.spreads.get(name, 0.0) for name in dark))
    added = {
        name: math.fsum(each.get(name, 0.0) for _, each in said) / len(said)
        for name in {n for _, each in said for n in each}
    }
    contributions = tuple(
        Contribution(name, FEATURES[name].title, _given(values.get(name)), log_odds)
        for name, log_odds in sorted(added.items(), key=lambda item: (-abs(item[1]), item[0]))
        if abs(log_odds) >= WORTH_SAYING
    )
    reason = f"out of the seen range, so taken as unknown: {', '.join(sorted(outside))}" if outside else ""
    return tuple(
        Outlook(
            months,
            line.chance(total),
            min(line.chance(total - Z95 * doubt), line.seen(total)[0]),
            max(line.chance(total + Z95 * doubt), line.seen(total)[1]),
            abstained=False,
            reason=reason,
            contributions=contributions,
        )
        for months in horizons
        for line in [model.calibrations[months]]
    )


def _why_not(model: Model, values: Mapping[str, float | None], dark: Collection[str]) -> str:
    """Why the model must not speak of this library; empty if it may."""
    idle = _number(values.get("idle_days"))
    if not idle <= model.longest_idle_days:
        since = "no commit is known" if math.isnan(idle) else f"no commit for {idle:.0f} days"
        return f"{since}; it has only seen libraries idle for up to {model.longest_idle_days:.0f} days"
    share = math.fsum(model.importance.get(name, 0.0) for name in dark)
    if share > MOST_UNKNOWN:
        names = ", ".join(sorted(dark, key=lambda n: (-model.importance.get(n, 0.0), n))[:3])
        return f"features with {share:.0%} of its weight are unknown or out of its range ({names}, …)"
    return ""


def _given(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _outside(model: Model, values: Mapping[str, float | None]) -> set[str]:
    found = set()
    for name, (low, high) in model.ranges.items():
        value = _given(values.get(name))
        if value is not None and not low <= value <= high:
            found.add(name)
    return found
