"""Train the outlook on a panel, write it as a readable file and print its accuracy.

    python scripts/train_outlook.py PANEL.parquet -o data/reference/outlook.json

Needs lightgbm. A hash of its name puts each repository in one of five folds. Every figure is for
repositories outside the training data. To judge it on repositories and days that it never saw, leave them out,
and let the back-test ask only about these:

    python scripts/train_outlook.py PANEL.parquet -o mine.json --leave-out unseen.txt --until 2023-07-01
    advisor backtest --panel PANEL.parquet --outlook mine.json --only unseen.txt --at 2023-07-01
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from advisor.answers.backtest.figures import auc, calibration_error, platt, wilson
from advisor.errors import InputError
from advisor.outlook import compute, features, model, panel

FOLDS = 5
ROUNDS = 200
BINS = 20
TRAINING_ACTIVE_DAYS, TEST_ACTIVE_DAYS = 365, 90
HORIZONS = (12, 24)
LABELS = {model.ABANDONMENT: panel.label_abandonment, model.COLLAPSE: panel.label_collapse}
SETTINGS = {
    "objective": "binary", "num_leaves": 8, "min_data_in_leaf": 1000, "learning_rate": 0.06,
    "feature_fraction": 0.2, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 10, "seed": 1,
    "num_threads": 1, "deterministic": True, "force_col_wise": True, "verbose": -1,
}  # fmt: skip
# Features that only raise the log-odds of abandonment as they grow, and features that only lower them.
MORE_IS_WORSE = (
    "idle_days", "idle_smoothed", "idle_share_of_age", "longest_pause", "usual_pause",
    "idle_over_longest_pause", "idle_median_180", "idle_median_365", "idle_median_730", "idle_mean_180",
    "idle_mean_730", "idle_max_365", "idle_max_730", "quiet_share_200", "quiet_share_400",
    "quiet_share_800", "days_since_busy_3", "days_since_busy_10", "days_since_issue_closed",
    "days_since_change_request", "days_since_newcomer", "open_issue_share",
)  # fmt: skip
MORE_IS_BETTER = (
    "active_months_365", "active_months_730", "fresh_share_180", "fresh_share_365", "fresh_share_730",
    "commits_a_month_200", "commits_a_month_400", "commits_median_400", "commits_smoothed",
    "recent_commits", "threads_180", "issues_closed_90", "issues_closed_180", "change_requests_90",
    "change_requests_180", "newcomers_180", "newcomers_365", "downloads", "contributors",
)  # fmt: skip


def settings_for(values: pd.DataFrame) -> dict[str, Any]:
    """Return LightGBM's settings for these columns and this number of rows."""
    direction = [1 if n in MORE_IS_WORSE else -1 if n in MORE_IS_BETTER else 0 for n in values]
    leaf = min(SETTINGS["min_data_in_leaf"], max(5, len(values) // 50))
    return {**SETTINGS, "monotone_constraints": direction, "min_data_in_leaf": leaf}


def train(values: pd.DataFrame, inactive: np.ndarray, rounds: int) -> list[dict[str, list[Any]]]:
    """Train boosted trees; return each as columns of nodes."""
    settings = settings_for(values)
    booster = lightgbm.train(settings, lightgbm.Dataset(values, inactive), rounds)
    return [_columns(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]


def _columns(root: dict[str, Any]) -> dict[str, list[Any]]:
    tree: dict[str, list[Any]] = {k: [] for k in model.Tree.__dataclass_fields__}

    def add(node: dict[str, Any]) -> int:
        at = len(tree["feature"])
        for column in tree.values():
            column.append(-1)
        if "split_feature" not in node:
            tree["threshold"][at], tree["blank_left"][at] = 0, 0
            tree["value"][at] = float(f"{node['leaf_value']:.5g}")
            tree["count"][at] = int(node.get("leaf_count", 1))
            return at
        tree["feature"][at] = node["split_feature"]
        tree["threshold"][at] = float(f"{node['threshold']:.6g}")
        # LightGBM treats a blank as 0 in a split without blanks in training.
        as_zero = node["missing_type"] == "None"
        tree["blank_left"][at] = int(node["threshold"] >= 0 if as_zero else node["default_left"])
        left, right = add(node["left_child"]), add(node["right_child"])
        tree["left"][at], tree["right"][at] = left, right
        tree["count"][at] = tree["count"][left] + tree["count"][right]
        tree["value"][at] = (
            sum(tree["value"][i] * tree["count"][i] for i in (left, right)) / tree["count"][at]
        )
        return at

    add(root)
    return tree


def as_model(folds: list[list[dict[str, list[Any]]]]) -> model.Model:
    """Return a model with these sets of trees and nothing else."""
    return model.Model(
        features=tuple(features.FEATURES),
        folds=tuple(
            tuple(model.Tree(**{k: tuple(v) for k, v in t.items()}) for t in trees) for trees in folds
        ),
        trained_on=frozenset(),
        ranges={},
        importance={},
        spreads={},
        calibrations={},
        longest_idle_days=0.0,
        about={},
    )


def count_names(file: Path | None) -> int:
    """Return how many repositories a file names."""
    if file is None:
        return 0
    return len({line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines()} - {""})


def split_rows(series: pd.DataFrame, leave_out: Path | None, until: date | None) -> pd.DataFrame:
    """Return the rows of a panel without the repositories of a file and without later days.

    Raises:
        InputError: the panel does not have one of these repositories, so that it could learn from it.
    """
    if leave_out is not None:
        series = series[~series.repository.isin(panel.read_names(leave_out, series))]
    if until is not None:
        series = series[series.day <= pd.Timestamp(until)]
    return series.reset_index(drop=True)


def read_training_data(
    path: Path, leave_out: Path | None = None, until: date | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, dict[int, np.ndarray]], np.ndarray]:
    """Return the panel, its members of every month, their features, their labels, their folds.

    Args:
        path: the panel.
        leave_out: file of the repositories to leave out.
        until: the last day of rows to read; None: all.
    """
    series = split_rows(panel.read_panel(path), leave_out, until)
    first = (series.day.min() + pd.Timedelta(days=60)).to_period("M").to_timestamp()
    months = pd.date_range(first, series.day.max(), freq="MS")
    members = pd.concat(
        [panel.select_cohort(series, m, TRAINING_ACTIVE_DAYS) for m in months], ignore_index=True
    )
    labels = {
        outcome: {m: label(series, members, m).to_numpy() for m in HORIZONS}
        for outcome, label in LABELS.items()
    }
    fold = members.repository.map(lambda name: model.fold_of(name, FOLDS)).to_numpy()
    return series, members, compute.compute_features(series, members), labels, fold


def main() -> None:
    """Read the panel, train the five sets for each outcome, calibrate them, and write the model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    add_split_options(parser)
    options = parser.parse_args()

    try:
        data = read_training_data(options.panel, options.leave_out, options.until)
    except InputError as error:
        sys.exit(f"error: {error}")
    _, members, values, labels, fold = data
    has_label = np.any([~np.isnan(y) for y in labels[model.ABANDONMENT].values()], axis=0)
    outcomes = {
        outcome: train_outcome(outcome, members, values, by_months, fold, options.rounds)
        for outcome, by_months in labels.items()
    }
    quantiles = values[has_label].quantile([0.001, 0.999])
    head = {
        "format": model.FORMAT,
        "about": {
            "made_by": "scripts/train_outlook.py",
            "made_from": "the lists that data/reference/README.md names, CC BY-SA 4.0",
            "panel_sha256": hashlib.sha256(options.panel.read_bytes()).hexdigest(),
            "repositories": int(members.repository[has_label].nunique()),
            "rows": int(has_label.sum()),
            "first_day": str(members.as_of[has_label].min().date()),
            "last_day": str(members.as_of[has_label].max().date()),
            "left_out": count_names(options.leave_out),
            "until": str(options.until) if options.until else None,
        },
        "longest_idle_days": TRAINING_ACTIVE_DAYS,
        "features": list(features.FEATURES),
        "ranges": {n: [float(f"{q:.4g}") for q in quantiles[n]] for n in quantiles if quantiles[n].notna().all()},
        "trained_on": sorted({model.digest(name) for name in members.repository[has_label]}),
    }  # fmt: skip
    write_model(options.output, head, outcomes)


def add_split_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that keep repositories and days out of the training data."""
    parser.add_argument(
        "--leave-out",
        type=Path,
        metavar="FILE",
        help="Never learn from these repositories: one owner/name a line.",
    )
    parser.add_argument(
        "--until",
        type=date.fromisoformat,
        metavar="DATE",
        help="Learn only from what the panel showed up to this date (YYYY-MM-DD).",
    )


def train_outcome(
    outcome: str,
    members: pd.DataFrame,
    values: pd.DataFrame,
    labels: dict[int, np.ndarray],
    fold: np.ndarray,
    rounds: int,
) -> dict[str, Any]:
    """Return the part of the model's file for one outcome.

    One score serves both horizons: each row is in the training data once for each known label.
    """
    trees = []
    log_odds = np.full(len(members), np.nan)
    for k in range(FOLDS):
        parts = [~np.isnan(y) & (fold != k) for y in labels.values()]
        inputs = pd.concat([values[part] for part in parts], ignore_index=True)
        targets = np.concatenate([y[part] for y, part in zip(labels.values(), parts, strict=True)])
        trees.append(train(inputs, targets, rounds))
        log_odds[fold == k] = sum_set(trees[k], values[fold == k])
        print(f"{outcome}: set {k + 1} of {FOLDS}, {len(targets)} rows", flush=True)
    calibrations = {}
    for months, labels_then in labels.items():
        rows = ~np.isnan(labels_then)
        if not 0 < labels_then[rows].sum() < rows.sum():
            continue
        intercept, slope = platt(log_odds[rows], labels_then[rows])
        calibrations[months] = {
            "intercept": round(intercept, 5),
            "slope": round(slope, 5),
            "bins": calibration_bins(members.repository[rows].to_numpy(), log_odds[rows], labels_then[rows]),
        }
        chance = 1 / (1 + np.exp(-(intercept + slope * log_odds)))
        for days in (TRAINING_ACTIVE_DAYS, TEST_ACTIVE_DAYS):
            part = rows & (members.idle_days < days + 1).to_numpy()
            print_scores(
                f"{outcome}, {months} months, other repositories, last commit at most {days} days old",
                labels_then[part],
                chance[part],
            )
    has_label = np.any([~np.isnan(y) for y in labels.values()], axis=0)
    importance, spreads = explain_features(trees, values[has_label])
    return {"calibrations": calibrations, "importance": importance, "spreads": spreads, "folds": trees}


def explain_features(
    trees: list[list[dict[str, list[Any]]]], values: pd.DataFrame
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the importance of each feature, and the standard deviation of its contribution."""
    whole = as_model(trees)
    sample = values.sample(min(1000, len(values)), random_state=0)
    numbers = sample[list(whole.features)].to_numpy(dtype=float)
    _, shares = model.explain_trees(whole.forests[0], numbers, np.zeros(numbers.shape, dtype=bool))
    contributions = pd.DataFrame(shares, columns=list(whole.features))
    weight = contributions.abs().mean()
    return (
        {n: round(float(w), 5) for n, w in (weight / weight.sum()).items()},
        {n: round(float(s), 5) for n, s in contributions.std().items()},
    )


def write_model(output: Path, head: dict[str, Any], outcomes: dict[str, dict[str, Any]]) -> None:
    """Write the model, one line for each tree."""
    parts = []
    for outcome, part in outcomes.items():
        text = json.dumps({k: v for k, v in part.items() if k != "folds"}, indent=1).removesuffix("\n}")
        sets = ",\n".join("[" + ",\n".join(compact_json(t) for t in each) + "]" for each in part["folds"])
        parts.append(f'"{outcome}": {text},\n "folds": [\n{sets}\n]\n}}')
    text = json.dumps(head, indent=1).removesuffix("\n}")
    joined = ",\n".join(parts)
    output.write_text(f'{text},\n "outcomes": {{\n{joined}\n}}\n}}\n')
    print(f"wrote {output}: {output.stat().st_size / 1000:.0f} kB")


def compact_json(tree: dict[str, list[Any]]) -> str:
    """Return a tree as JSON on one line."""
    return json.dumps(
        {
            k: [float(f"{x:.5g}") if isinstance(x, float) and k == "value" else x for x in v]
            for k, v in tree.items()
        },
        separators=(",", ":"),
    )


def sum_set(trees: list[dict[str, list[Any]]], values: pd.DataFrame) -> np.ndarray:
    """Return the log-odds from one set of trees."""
    return model.sum_trees(as_model([trees]).folds[0], values.to_numpy(dtype=float))


def calibration_bins(repositories: np.ndarray, log_odds: np.ndarray, labels: np.ndarray) -> list[list[float]]:
    """Return (highest log-odds, low, high) of bins of equal size: intervals of the share of libraries with the outcome.

    The Wilson interval counts each repository once, not each of its months.
    """
    bins = []
    for part in np.array_split(np.argsort(log_odds, kind="stable"), BINS):
        n = len(set(repositories[part]))
        low, high = wilson(labels[part].mean() * n, n)
        bins.append([round(float(x), 5) for x in (log_odds[part].max(), low, high)])
    return bins


def print_scores(name: str, labels: np.ndarray, chance: np.ndarray) -> None:
    """Print one line of figures."""
    print(
        f"{name}: {len(labels)} rows, {labels.mean():.1%}, AUC {auc(labels, chance):.4f}, "
        f"calibration error {calibration_error(labels, chance):.4f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
