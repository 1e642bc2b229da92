"""The outlook of libraries: calibrated chances with their intervals, or why there are none."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.model import Contribution, Outlook
from advisor.outlook.features import FEATURES
from advisor.outlook.model import Model, as_number, explain_trees, find_unseen_set
from advisor.outlook.panel import FEWEST_COMMITS, YEAR

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


_Values = Mapping[str, float | None]


def _sum_sets(
    model: Model,
    rows: Sequence[_Values],
    missing: Sequence[Collection[str]],
    names: Sequence[Collection[str]],
) -> list[_Sum]:
    """Return the log-odds and the contributions of each library.

    They come from the set of trees that did not see the library; from the mean of all sets if none saw it.
    """
    import numpy as np

    features = model.features
    values = np.array([[as_number(row.get(name)) for name in features] for row in rows])
    unknown = np.array([[name in absent for name in features] for absent in missing])
    results = [explain_trees(forest, values, unknown) for forest in model.forests]
    odds = np.array([each for each, _ in results])
    contributions = np.array([each for _, each in results])
    spreads = odds.std(axis=0, ddof=1) if len(results) > 1 else np.zeros(len(rows))
    sums = []
    for row, (absent, own_names) in enumerate(zip(missing, names, strict=True)):
        own = find_unseen_set(model, own_names)
        own_sets = slice(None) if own is None else slice(own, own + 1)
        means = contributions[own_sets, row].mean(axis=0)
        error = math.hypot(spreads[row], *(model.spreads.get(name, 0.0) for name in absent))
        of_feature = dict(zip(features, map(float, means), strict=True))
        sums.append(_Sum(float(odds[own_sets, row].mean()), error, of_feature))
    return sums


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
    rows: Sequence[_Values],
    horizons: Sequence[int],
    unknown: Sequence[Collection[str]],
    names: Sequence[Collection[str]],
    collapse: Model | None = None,
) -> list[tuple[Outlook, ...]]:
    """Return the outlooks of libraries, for each one per horizon.

    The interval covers three uncertainties: the observed results of libraries with the same outlook, the
    differences between the sets of trees, and the usual contribution of each feature that is unknown or out
    of range.

    Args:
        model: the trees for abandonment.
        rows: for each library feature → value; None or NaN is a blank.
        horizons: in months.
        unknown: for each library the features that the source cannot provide.
        names: for each library the names of its repository, now and before.
        collapse: the trees for a collapse; None: the outlooks do not have its chance.

    Raises:
        KeyError: the model has no calibration for one of the horizons.
    """
    if not rows:
        return []
    outside = [_out_of_range(model, row) for row in rows]
    missing = [{*absent, *out} for absent, out in zip(unknown, outside, strict=True)]
    sums = _sum_sets(model, rows, missing, names)
    of_collapse = _sum_sets(collapse, rows, missing, names) if collapse else [None] * len(rows)
    outlooks = []
    for row, out, absent, result, fall in zip(rows, outside, missing, sums, of_collapse, strict=True):
        abstention = _abstention_reason(model, row, absent)
        if abstention:
            outlooks.append(
                tuple(Outlook(m, None, 0.0, 1.0, abstained=True, reason=abstention) for m in horizons)
            )
            continue
        chances = _chances(model, result, horizons)
        own = _describe(row, out, result, chances)
        if collapse and fall and _can_collapse(row, absent):
            own = _add_collapse(own, _chances(collapse, fall, horizons, chances))
        outlooks.append(tuple(own[m] for m in horizons))
    return outlooks


def _describe(
    row: _Values, outside: Collection[str], result: _Sum, chances: Mapping[int, _Chance]
) -> dict[int, Outlook]:
    """Return months → outlook with the contributions, the largest first."""
    contributions = tuple(
        Contribution(name, FEATURES[name].title, _known_value(row.get(name)), log_odds)
        for name, log_odds in sorted(result.contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
        if abs(log_odds) >= MIN_CONTRIBUTION
    )
    titles = ", ".join(sorted(FEATURES[name].title for name in outside))
    reason = f"outside the range of the training data, so treated as unknown: {titles}" if outside else ""
    return {
        months: Outlook(months, *chance, abstained=False, reason=reason, contributions=contributions)
        for months, chance in chances.items()
    }


def _add_collapse(outlooks: Mapping[int, Outlook], chances: Mapping[int, _Chance]) -> dict[int, Outlook]:
    return {
        months: replace(outlook, collapse=chance[0], collapse_low=chance[1], collapse_high=chance[2])
        for months, outlook in outlooks.items()
        for chance in [chances[months]]
    }


def _can_collapse(values: _Values, missing: Collection[str]) -> bool:
    """Return whether the library had enough commits in the last year for a collapse to mean something."""
    monthly = as_number(values.get(COMMITS_A_MONTH))
    return COMMITS_A_MONTH not in missing and monthly * YEAR / MONTH_DAYS >= FEWEST_COMMITS


def _abstention_reason(model: Model, values: _Values, missing: Collection[str]) -> str:
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


def _out_of_range(model: Model, values: _Values) -> set[str]:
    names = set()
    for name, (low, high) in model.ranges.items():
        value = _known_value(values.get(name))
        if value is not None and not low <= value <= high:
            names.add(name)
    return names
