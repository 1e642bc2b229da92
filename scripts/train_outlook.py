"""Train the outlook on a panel and write it as a readable file; print how well it does on others' data.

    python scripts/train_outlook.py PANEL.parquet -o data/reference/outlook.json

Needs lightgbm. Repositories are dealt into five folds by a hash of their names; every figure that is
printed is of repositories that the model did not see. `--time` also trains on the months up to a day
alone and tests on other repositories in later months.
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
TRAINED_ACTIVE_DAYS, CHECKED_ACTIVE_DAYS = 180, 90
SETTINGS = {
    "objective": "binary", "num_leaves": 8, "min_data_in_leaf": 1000, "learning_rate": 0.04,
    "feature_fraction": 0.2, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 10, "seed": 1,
    "num_threads": 2, "deterministic": True, "force_col_wise": True, "verbose": -1,
}  # fmt: skip
# What must not speak for inactivity when it falls, and what must not when it rises.
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
    """LightGBM's settings for these columns and this many rows."""
    direction = [1 if n in MORE_IS_WORSE else -1 if n in MORE_IS_BETTER else 0 for n in values]
    leaf = min(SETTINGS["min_data_in_leaf"], max(5, len(values) // 50))
    return {**SETTINGS, "monotone_constraints": direction, "min_data_in_leaf": leaf}


def train(values: pd.DataFrame, inactive: np.ndarray, rounds: int) -> list[dict[str, list[Any]]]:
    """Boosted trees as columns of nodes."""
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
        # LightGBM treats a blank as 0 in a split that met none in training.
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
    """Trees as the program reads them."""
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


def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[int, np.ndarray], np.ndarray]:
    """The panel, its members of every month, their features, what became of them by horizon, their fold."""
    series = panel.read_panel(path)
    first = (series.day.min() + pd.Timedelta(days=60)).to_period("M").to_timestamp()
    months = pd.date_range(first, series.day.max(), freq="MS")
    members = pd.concat([panel.cohort(series, m, TRAINED_ACTIVE_DAYS) for m in months], ignore_index=True)
    inactive = {m: panel.inactive_after(series, members, m).to_numpy() for m in (12, 24)}
    fold = members.repository.map(lambda name: model.fold_of(name, FOLDS)).to_numpy()
    return series, members, compute.features(series, members), inactive, fold


def main() -> None:
    """Read the panel, train the five sets, calibrate on what each did not see, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--time", type=date.fromisoformat, help="also train on cohorts whose outcome was known then"
    )
    given = parser.parse_args()

    _, members, values, inactive, fold = read(given.panel)
    labelled = ~np.isnan(inactive[12])
    active = (members.idle_days < CHECKED_ACTIVE_DAYS + 1).to_numpy()

    trees = []
    held_out = np.full(len(members), np.nan)
    for k in range(FOLDS):
        part = labelled & (fold != k)
        trees.append(train(values[part], inactive[12][part], given.rounds))
        held_out[fold == k] = say(trees[k], values[fold == k])
        print(f"set {k + 1} of {FOLDS}: {part.sum()} rows", flush=True)
    lines, bins = {}, {}
    for horizon, outcome in inactive.items():
        rows = active & ~np.isnan(outcome)
        if 0 < outcome[rows].sum() < rows.sum():
            lines[horizon] = platt(held_out[rows], outcome[rows])
            bins[horizon] = seen(members.repository[rows].to_numpy(), held_out[rows], outcome[rows])
            chance = 1 / (1 + np.exp(-(lines[horizon][0] + lines[horizon][1] * held_out[rows])))
            report(f"{horizon} months, other repositories", outcome[rows], chance)
    if given.time:
        disjoint_in_time(given, members, values, inactive[12], fold, active)

    known = as_model(trees)
    sample = values[labelled].sample(min(1000, labelled.sum()), random_state=0)
    moved = pd.DataFrame(
        [model.explain(known, known.folds[0], row)[1] for row in sample.to_dict("records")],
        columns=list(features.FEATURES),
    ).fillna(0.0)
    weight = moved.abs().mean()
    quantiles = values[labelled].quantile([0.001, 0.999])
    head = {
        "format": model.FORMAT,
        "about": {
            "made_by": "scripts/train_outlook.py",
            "made_from": "the lists that data/reference/README.md names, CC BY-SA 4.0",
            "panel_sha256": hashlib.sha256(given.panel.read_bytes()).hexdigest(),
            "repositories": int(members.repository[labelled].nunique()),
            "rows": int(labelled.sum()),
            "first_day": str(members.as_of[labelled].min().date()),
            "last_day": str(members.as_of[labelled].max().date()),
        },
        "longest_idle_days": TRAINED_ACTIVE_DAYS,
        "calibrations": {
            h: {"intercept": round(a, 5), "slope": round(b, 5), "bins": bins[h]} for h, (a, b) in lines.items()
        },
        "features": list(features.FEATURES),
        "ranges": {n: [float(f"{q:.4g}") for q in quantiles[n]] for n in quantiles if quantiles[n].notna().all()},
        "importance": {n: round(float(w), 5) for n, w in (weight / weight.sum()).items()},
        "spreads": {n: round(float(s), 5) for n, s in moved.std().items()},
        "trained_on": sorted({model.digest(name) for name in members.repository[labelled]}),
    }  # fmt: skip
    text = json.dumps(head, indent=1).removesuffix("\n}")
    sets = ",\n".join("[" + ",\n".join(compact(t) for t in each) + "]" for each in trees)
    given.output.write_text(f'{text},\n "folds": [\n{sets}\n]\n}}\n')
    print(f"wrote {given.output}: {given.output.stat().st_size / 1000:.0f} kB")


def compact(tree: dict[str, list[Any]]) -> str:
    """A tree on one line."""
    return json.dumps(
        {
            k: [float(f"{x:.5g}") if isinstance(x, float) and k == "value" else x for x in v]
            for k, v in tree.items()
        },
        separators=(",", ":"),
    )


def say(trees: list[dict[str, list[Any]]], values: pd.DataFrame) -> np.ndarray:
    """The log-odds of one set."""
    return model.sum_of(as_model([trees]).folds[0], values.to_numpy(dtype=float))


def seen(repositories: np.ndarray, log_odds: np.ndarray, happened: np.ndarray) -> list[list[float]]:
    """What came of libraries by where they were put: (highest log-odds, low, high) of bins of equal size.

    The Wilson interval takes each repository for one, not each of its months.
    """
    found = []
    for part in np.array_split(np.argsort(log_odds, kind="stable"), BINS):
        n = len(set(repositories[part]))
        low, high = wilson(happened[part].mean() * n, n)
        found.append([round(float(x), 5) for x in (log_odds[part].max(), low, high)])
    return found


def report(what: str, happened: np.ndarray, chance: np.ndarray) -> None:
    """One line of figures."""
    print(
        f"{what}: {len(happened)} rows, {happened.mean():.1%} inactive, AUC {auc(happened, chance):.4f}, "
        f"calibration error {calibration_error(happened, chance):.4f}",
        flush=True,
    )


def disjoint_in_time(
    given: argparse.Namespace,
    members: pd.DataFrame,
    values: pd.DataFrame,
    outcome: np.ndarray,
    fold: np.ndarray,
    active: np.ndarray,
) -> None:
    """Train and calibrate on what was known on a day; judge other repositories in later months."""
    day = pd.Timestamp(given.time)
    # A cohort's outcome is known a year and the label's 130 days after it.
    told = (members.as_of + pd.Timedelta(days=365 + panel.LABEL_TO_DAYS) <= day).to_numpy() & ~np.isnan(
        outcome
    )
    later = (members.as_of >= day).to_numpy() & ~np.isnan(outcome) & active
    scored = np.full(len(members), np.nan)
    for k in range(FOLDS):
        part = told & (fold != k)
        at = (told | later) & (fold == k)
        scored[at] = say(train(values[part], outcome[part], given.rounds), values[at])
    line = platt(scored[told & active], outcome[told & active])
    report(f"other repositories, only what was known on {given.time} | cohorts from then on", outcome[later],
           1 / (1 + np.exp(-(line[0] + line[1] * scored[later]))))  # fmt: skip


if __name__ == "__main__":
    main()
