"""Study the limits of the outlook: simple models, more repositories, and abandonments that it misses.

    python scripts/study_outlook.py PANEL.parquet

Needs lightgbm. Prints three tables of docs/LOG.md. Every score is for repositories outside the training
data. A difference is for the same rows, with its 95 % bootstrap interval over repositories.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import NormalDist

import lightgbm
import numpy as np
import pandas as pd
import train_outlook

from advisor.answers.backtest.figures import auc, bootstrap
from advisor.outlook import model, panel

GOAL = 0.92
DRAWS = 200
SHARES = (0.1, 0.25, 0.5, 0.75)
LAGS = (30, 90, 180, 365)
RIDGE = 20.0
SIMPLE_SETTINGS = {"feature_fraction": 0.5, "min_data_in_leaf": 200}


class Study:
    """Rows with a known label, their folds, and which of them count (last commit at most 90 days ago)."""

    def __init__(self, path: Path, rounds: int) -> None:
        """Read the panel; select the rows with a known label."""
        self.series, members, values, labels, fold = train_outlook.read_training_data(path)
        abandoned = labels[model.ABANDONMENT][12]
        self.rounds = rounds
        has_label = ~np.isnan(abandoned)
        self.members = members[has_label].reset_index(drop=True)
        self.features = values[has_label].reset_index(drop=True)
        self.labels, self.fold = abandoned[has_label], fold[has_label]
        self.is_active = (self.members.idle_days < train_outlook.TEST_ACTIVE_DAYS + 1).to_numpy()
        self.repositories = self.members.repository.to_numpy(dtype=str)

    def auc(self, score: np.ndarray) -> float:
        """Return the AUC over the active rows."""
        return auc(self.labels[self.is_active], score[self.is_active])

    def describe_difference(self, before: np.ndarray, after: np.ndarray) -> str:
        """Return the difference of two scores' AUC with its interval."""
        labels, a, b = self.labels[self.is_active], before[self.is_active], after[self.is_active]
        low, high = bootstrap(
            lambda rows: auc(labels[rows], b[rows]) - auc(labels[rows], a[rows]),
            self.repositories[self.is_active],
            DRAWS,
        )
        return f"{self.auc(after) - self.auc(before):+.4f} [{low:+.4f}, {high:+.4f}]"

    def score_with_trees(self, inputs: pd.DataFrame, rows: np.ndarray, **changes: float) -> np.ndarray:
        """Return log-odds from trees trained on ``rows`` of the other folds."""
        score = np.zeros(len(inputs))
        for k in range(train_outlook.FOLDS):
            part = rows & (self.fold != k)
            settings = {**train_outlook.settings_for(inputs[part]), **changes}
            booster = lightgbm.train(settings, lightgbm.Dataset(inputs[part], self.labels[part]), self.rounds)
            score[self.fold == k] = booster.predict(inputs[self.fold == k], raw_score=True)
        return score

    def score_with_ridge(self, inputs: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Return log-odds from a logistic ridge regression on signed logs and blanks (Newton's method)."""
        logs = pd.DataFrame(np.sign(inputs) * np.log1p(inputs.abs()))
        wide = np.column_stack([logs.fillna(logs.median()).fillna(0), inputs.isna()]).astype(float)
        wide = wide[:, wide.std(0) > 0]
        wide = (wide - wide.mean(0)) / wide.std(0)
        wide = np.column_stack([np.ones(len(wide)), wide])
        score = np.zeros(len(wide))
        for k in range(train_outlook.FOLDS):
            x, y = wide[rows & (self.fold != k)], self.labels[rows & (self.fold != k)]
            line = np.zeros(x.shape[1])
            for _ in range(8):
                chance = 1 / (1 + np.exp(-x @ line))
                curvature = (x * (chance * (1 - chance))[:, None]).T @ x + RIDGE * np.eye(len(line))
                line += np.linalg.solve(curvature, x.T @ (y - chance) - RIDGE * line)
            score[self.fold == k] = wide[self.fold == k] @ line
        return score


def simple_columns(study: Study) -> dict[str, pd.DataFrame]:
    """Return name → columns of the newest row, without and with their growth since older rows."""
    counts = [n for n, (_, aggregate) in panel.COLUMNS.items() if aggregate == "max" and n not in panel.DATES]
    rows = study.series[["repository", "day", "created", "last_commit", "last_release", *counts]].copy()
    for name in ("created", "last_commit", "last_release"):
        rows[name] = (rows.day - rows[name]).dt.total_seconds() / 86400
    keys = study.members[["repository", "day"]].reset_index(names="row")
    now = keys.merge(rows, on=["repository", "day"]).set_index("row").sort_index()
    now = now.drop(columns=["repository", "day"]).add_prefix("now_")
    older = rows.rename(columns={n: f"now_{n}" for n in rows.columns[2:]} | {"day": "then"}).sort_values(
        "then"
    )
    growth = {}
    for lag in LAGS:
        targets = keys.assign(at=keys.day - pd.Timedelta(days=lag)).sort_values("at")
        then = pd.merge_asof(
            targets, older, left_on="at", right_on="then", by="repository", tolerance=pd.Timedelta(days=62)
        ).set_index("row").sort_index()  # fmt: skip
        growth[lag] = (now - then[now.columns]).add_suffix(f"_{lag}")
    return {
        "its newest row": now,
        "+ growth in 365 days": pd.concat([now, growth[365]], axis=1),
        "+ growth in 90 and 365 days": pd.concat([now, growth[90], growth[365]], axis=1),
        "+ growth in 30, 90, 180, 365 days": pd.concat([now, *growth.values()], axis=1),
    }


def print_simple_models(study: Study, ours: np.ndarray) -> None:
    """Scores of models without our features on the same folds."""
    print(f"days since last commit: {study.auc(study.members.idle_days.to_numpy()):.3f}")
    for name, inputs in simple_columns(study).items():
        trees = study.score_with_trees(inputs, study.is_active, **SIMPLE_SETTINGS)
        print(f"{name}: {inputs.shape[1]} columns, boosting {study.auc(trees):.3f}, logistic "
              f"{study.auc(study.score_with_ridge(inputs, study.is_active)):.3f}, ours {study.describe_difference(trees, ours)}", flush=True)  # fmt: skip


def print_learning_curve(study: Study, ours: np.ndarray) -> None:
    """Scores of our features with fewer repositories in training."""
    names, place = np.unique(study.repositories, return_inverse=True)
    for share in SHARES:
        rows = (np.random.default_rng(0).random(len(names)) < share)[place]
        score = study.score_with_trees(study.features, rows)
        count = len(set(study.repositories[rows])) * (train_outlook.FOLDS - 1) // train_outlook.FOLDS
        print(
            f"{count} repositories: {study.auc(score):.3f}; all: {study.describe_difference(score, ours)}",
            flush=True,
        )


def print_misses(study: Study, ours: np.ndarray) -> None:
    """Abandonments that the outlook misses, and the AUC that a further signal needs."""
    rows = study.members[study.is_active].assign(
        label=study.labels[study.is_active], score=ours[study.is_active],
        commits=study.features.commits_a_month_200[study.is_active],
    )  # fmt: skip
    silent = rows[rows.label == 1].copy()
    others = np.sort(rows.score[rows.label == 0])
    silent["loss"] = 1 - np.searchsorted(others, silent.score) / len(others)
    last = study.series.groupby("repository").last_commit.max()
    silent["is_pause"] = silent.repository.map(last) > silent.last_commit
    worst = silent.nlargest(len(silent) // 5, "loss")
    print(
        f"{len(silent)} rows of {silent.repository.nunique()} repositories were abandoned; "
        f"{silent.is_pause.mean():.0%} are only pauses, because a later row has a new commit"
    )
    print(f"a fifth of them causes {worst.loss.sum() / silent.loss.sum():.0%} of the difference to an AUC of 1: "
          f"median {worst.commits.median():.1f} commits per month, the last {worst.idle_days.median():.0f} days ago; "
          f"the other four fifths: {silent.drop(worst.index).commits.median():.1f} commits and "
          f"{silent.drop(worst.index).idle_days.median():.0f} days")  # fmt: skip
    final = rows.drop(silent.index[silent.is_pause])
    print(f"AUC without the pauses: {auc(final.label.to_numpy(), final.score.to_numpy()):.3f}")
    normal = NormalDist()
    distances = [2**0.5 * normal.inv_cdf(x) for x in (study.auc(ours), GOAL)]
    gap = (distances[1] ** 2 - distances[0] ** 2) ** 0.5
    print(f"for an AUC of {GOAL}, a further independent signal needs an AUC of "
          f"{normal.cdf(gap / 2**0.5):.2f} alone (normal distributions of equal variance)")  # fmt: skip


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("--rounds", type=int, default=train_outlook.ROUNDS)
    options = parser.parse_args()
    study = Study(options.panel, options.rounds)
    ours = study.score_with_trees(study.features, np.ones(len(study.fold), dtype=bool))
    print(f"our features: {study.auc(ours):.3f}", flush=True)
    for print_table in (print_misses, print_simple_models, print_learning_curve):
        print(f"\n{print_table.__doc__}")
        print_table(study, ours)


if __name__ == "__main__":
    main()
