"""Train the outlook on a panel, write it as a readable file and print its accuracy.

    python scripts/train_outlook.py PANEL.parquet -o data/reference/outlook.json

Needs lightgbm. A hash of its name puts each repository in one of five folds. Every figure is for
repositories outside the training data. `--time` also trains only on the months up to a day, and tests on
other repositories in later months.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from advisor.answers.backtest.figures import auc, calibration_error, platt, wilson
from advisor.outlook import compute, features, model, panel

FOLDS = 5
ROUNDS = 300
BINS = 20
TRAINING_ACTIVE_DAYS, TEST_ACTIVE_DAYS = 180, 90
SETTINGS = {
    "objective": "binary", "num_leaves": 8, "min_data_in_leaf": 1000, "learning_rate": 0.04,
    "feature_fraction": 0.2, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 10, "seed": 1,
    "num_threads": 2, "deterministic": True, "force_col_wise": True, "verbose": -1,
}  # fmt: skip
# Features that only raise the log-odds of inactivity as they grow, and features that only lower them.
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


def read_training_data(
    path: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[int, np.ndarray], np.ndarray]:
    """Return the panel, its members of every month, their features, their labels by horizon, their folds."""
    series = panel.read_panel(path)
    first = (series.day.min() + pd.Timedelta(days=60)).to_period("M").to_timestamp()
    months = pd.date_range(first, series.day.max(), freq="MS")
    members = pd.concat(
        [panel.select_cohort(series, m, TRAINING_ACTIVE_DAYS) for m in months], ignore_index=True
    )
    inactive = {m: panel.label_inactive(series, members, m).to_numpy() for m in (12, 24)}
    fold = members.repository.map(lambda name: model.fold_of(name, FOLDS)).to_numpy()
    return series, members, compute.compute_features(series, members), inactive, fold


def main() -> None:
    """Read the panel, train the five sets, calibrate each on the other fold, and write the model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--time",
        type=date.fromisoformat,
        help="Also train only on cohorts whose label was known on this date (YYYY-MM-DD).",
    )
    options = parser.parse_args()

    _, members, values, inactive, fold = read_training_data(options.panel)
    has_label = ~np.isnan(inactive[12])
    active = (members.idle_days < TEST_ACTIVE_DAYS + 1).to_numpy()

    trees = []
    log_odds = np.full(len(members), np.nan)
    for k in range(FOLDS):
        part = has_label & (fold != k)
        trees.append(train(values[part], inactive[12][part], options.rounds))
        log_odds[fold == k] = sum_set(trees[k], values[fold == k])
        print(f"set {k + 1} of {FOLDS}: {part.sum()} rows", flush=True)
    lines, bins = {}, {}
    for horizon, outcome in inactive.items():
        rows = active & ~np.isnan(outcome)
        if 0 < outcome[rows].sum() < rows.sum():
            lines[horizon] = platt(log_odds[rows], outcome[rows])
            bins[horizon] = calibration_bins(
                members.repository[rows].to_numpy(), log_odds[rows], outcome[rows]
            )
            chance = 1 / (1 + np.exp(-(lines[horizon][0] + lines[horizon][1] * log_odds[rows])))
            print_scores(f"{horizon} months, other repositories", outcome[rows], chance)
    if options.time:
        print_test_in_time(options, members, values, inactive[12], fold, active)

    whole = as_model(trees)
    sample = values[has_label].sample(min(1000, has_label.sum()), random_state=0)
    contributions = pd.DataFrame(
        [model.explain_log_odds(whole, whole.folds[0], row)[1] for row in sample.to_dict("records")],
        columns=list(features.FEATURES),
    ).fillna(0.0)
    weight = contributions.abs().mean()
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
        },
        "longest_idle_days": TRAINING_ACTIVE_DAYS,
        "calibrations": {
            h: {"intercept": round(a, 5), "slope": round(b, 5), "bins": bins[h]} for h, (a, b) in lines.items()
        },
        "features": list(features.FEATURES),
        "ranges": {n: [float(f"{q:.4g}") for q in quantiles[n]] for n in quantiles if quantiles[n].notna().all()},
        "importance": {n: round(float(w), 5) for n, w in (weight / weight.sum()).items()},
        "spreads": {n: round(float(s), 5) for n, s in contributions.std().items()},
        "trained_on": sorted({model.digest(name) for name in members.repository[has_label]}),
    }  # fmt: skip
    text = json.dumps(head, indent=1).removesuffix("\n}")
    sets = ",\n".join("[" + ",\n".join(compact_json(t) for t in each) + "]" for each in trees)
    options.output.write_text(f'{text},\n "folds": [\n{sets}\n]\n}}\n')
    print(f"wrote {options.output}: {options.output.stat().st_size / 1000:.0f} kB")


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
    """Return (highest log-odds, low, high) of bins of equal size: intervals of the share of inactive libraries.

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
        f"{name}: {len(labels)} rows, {labels.mean():.1%} inactive, AUC {auc(labels, chance):.4f}, "
        f"calibration error {calibration_error(labels, chance):.4f}",
        flush=True,
    )


def print_test_in_time(
    options: argparse.Namespace,
    members: pd.DataFrame,
    values: pd.DataFrame,
    outcome: np.ndarray,
    fold: np.ndarray,
    active: np.ndarray,
) -> None:
    """Train and calibrate with what was known on a day; test on other repositories in later months."""
    day = pd.Timestamp(options.time)
    # The label of a cohort is known after a year and 130 days.
    early = (members.as_of + pd.Timedelta(days=365 + panel.LABEL_TO_DAYS) <= day).to_numpy() & ~np.isnan(
        outcome
    )
    later = (members.as_of >= day).to_numpy() & ~np.isnan(outcome) & active
    log_odds = np.full(len(members), np.nan)
    for k in range(FOLDS):
        part = early & (fold != k)
        at = (early | later) & (fold == k)
        log_odds[at] = sum_set(train(values[part], outcome[part], options.rounds), values[at])
    line = platt(log_odds[early & active], outcome[early & active])
    print_scores(f"other repositories, trained with what was known on {options.time} | later cohorts", outcome[later],
           1 / (1 + np.exp(-(line[0] + line[1] * log_odds[later]))))  # fmt: skip


if __name__ == "__main__":
    main()
