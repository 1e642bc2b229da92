"""The outlook of one library: calibrated chances with their intervals, or why there are none."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from advisor.model import Contribution, Outlook
from advisor.outlook.features import FEATURES
from advisor.outlook.model import Model, as_number, expect_trees, explain_log_odds
from advisor.outlook.panel import FEWEST_COMMITS, YEAR

if TYPE_CHECKING:
    import pandas as pd

# The model abstains if features with more than this share of its importance are unknown or out of range.
MAX_UNKNOWN_SHARE = 0.5
COMMITS_A_MONTH, MONTH_DAYS = "commits_a_month_400", 30
Z95 = 1.96
MIN_CONTRIBUTION = 0.02  # log-odds; smaller contributions are not shown


@dataclass(frozen=True)
class _Sum:
    """The log-odds of one library: mean, standard error, and the mean contribution of each feature."""

    log_odds: float
    error: float
    contributions: Mapping[str, float]


def _sum_sets(model: Model, values: Mapping[str, float | None], missing: Collection[str]) -> _Sum:
    return _join_sets(
        model, [explain_log_odds(model, trees, values, missing) for trees in model.folds], missing
    )


def _join_sets(
    model: Model, results: Sequence[tuple[float, Mapping[str, float]]], missing: Collection[str]
) -> _Sum:
    """Join the log-odds and the contributions of each set of trees."""
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


def predict_many(
    model: Model, values: pd.DataFrame, months: int, unknown: Sequence[Collection[str]]
) -> list[Outlook]:
    """Return the outlooks of many libraries, without explanations, as `predict_outlooks` computes them.

    Args:
        model: the trees for abandonment.
        values: a row for each library, as `compute.compute_features` returns them.
        months: the horizon.
        unknown: for each row the features that the source cannot provide.

    Raises:
        KeyError: the model has no calibration for the horizon.
    """
    import numpy as np

    rows: list[dict[str, float | None]] = [
        {str(name): value for name, value in row.items()} for row in values.to_dict("records")
    ]
    missing = [frozenset({*u, *_out_of_range(model, row)}) for u, row in zip(unknown, rows, strict=True)]
    numbers = values[list(model.features)].to_numpy(dtype=float)
    is_unknown = np.array([[name in names for name in model.features] for names in missing])
    sums = np.array([expect_trees(trees, numbers, is_unknown) for trees in model.folds])
    result = []
    for i, row in enumerate(rows):
        reason = _abstention_reason(model, row, missing[i])
        if reason:
            result.append(Outlook(months, None, 0.0, 1.0, abstained=True, reason=reason))
            continue
        each = _join_sets(model, [(float(odds), {}) for odds in sums[:, i]], missing[i])
        result.append(Outlook(months, *_chances(model, each, [months])[months], abstained=False))
    return result


def _can_collapse(values: Mapping[str, float | None], missing: Collection[str]) -> bool:
    """Return whether the library had enough commits in the last year for a collapse to mean something."""
    monthly = as_number(values.get(COMMITS_A_MONTH))
    return COMMITS_A_MONTH not in missing and monthly * YEAR / MONTH_DAYS >= FEWEST_COMMITS


def _abstention_reason(model: Model, values: Mapping[str, float | None], missing: Collection[str]) -> str:
    """Return why the model makes no prediction for this library; empty if it makes one."""
    idle = as_number(values.get("idle_days"))
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
