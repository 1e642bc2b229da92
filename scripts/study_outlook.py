"""What limits the outlook: plain models on the same folds, more repositories, and which stops are missed.

    python scripts/study_outlook.py PANEL.parquet

Needs lightgbm. Prints three tables of docs/LOG.md. Every score is of repositories that the model did not
see; a difference is of the same rows, with its 95 % bootstrap interval over repositories.
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
from advisor.outlook import panel

GOAL = 0.92
DRAWS = 200
SHARES = (0.1, 0.25, 0.5, 0.75)
LAGS = (30, 90, 180, 365)
RIDGE = 20.0
PLAIN = {"feature_fraction": 0.5, "min_data_in_leaf": 200}


class Study:
    """Rows with a known outcome, their folds, and who of them is asked (idle for at most 90 days)."""

    def __init__(self, path: Path, rounds: int) -> None:
        """Read the panel and keep the rows whose outcome it shows."""
        self.series, members, values, inactive, fold = train_outlook.read(path)
        self.rounds = rounds
        known = ~np.isnan(inactive[12])
        self.members = members[known].reset_index(drop=True)
        self.features = values[known].reset_index(drop=True)
        self.happened, self.fold = inactive[12][known], fold[known]
        self.asked = (self.members.idle_days < train_outlook.CHECKED_ACTIVE_DAYS + 1).to_numpy()
        self.repositories = self.members.repository.to_numpy(dtype=str)

    def auc(self, score: np.ndarray) -> float:
        """Over those who are asked."""
        return auc(self.happened[self.asked], score[self.asked])

    def more(self, before: np.ndarray, after: np.ndarray) -> str:
        """The difference of two scores' AUC with its interval."""
        happened, a, b = self.happened[self.asked], before[self.asked], after[self.asked]
        low, high = bootstrap(
            lambda rows: auc(happened[rows], b[rows]) - auc(happened[rows], a[rows]),
            self.repositories[self.asked],
            DRAWS,
        )
        return f"{self.auc(after) - self.auc(before):+.4f} [{low:+.4f}, {high:+.4f}]"

    def boosted(self, inputs: pd.DataFrame, rows: np.ndarray, **changed: float) -> np.ndarray:
        """Log-odds by trees that were trained on ``rows`` of the other folds."""
        score = np.zeros(len(inputs))
        for k in range(train_outlook.FOLDS):
            part = rows & (self.fold != k)
            settings = {**train_outlook.settings_for(inputs[part]), **changed}
            booster = lightgbm.train(
                settings, lightgbm.Dataset(inputs[part], self.happened[part]), self.rounds
            )
            score[self.fold == k] = booster.predict(inputs[self.fold == k], raw_score=True)
        return score

    def logistic(self, inputs: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Log-odds by ridge regression on signed logs and blanks, fitted by Newton's steps."""
        logs = pd.DataFrame(np.sign(inputs) * np.log1p(inputs.abs()))
        wide = np.column_stack([logs.fillna(logs.median()).fillna(0), inputs.isna()]).astype(float)
        wide = wide[:, wide.std(0) > 0]
        wide = (wide - wide.mean(0)) / wide.std(0)
        wide = np.column_stack([np.ones(len(wide)), wide])
        score = np.zeros(len(wide))
        for k in range(train_outlook.FOLDS):
            x, y = wide[rows & (self.fold != k)], self.happened[rows & (self.fold != k)]
            line = np.zeros(x.shape[1])
            for _ in range(8):
                chance = 1 / (1 + np.exp(-x @ line))
                curvature = (x * (chance * (1 - chance))[:, None]).T @ x + RIDGE * np.eye(len(line))
                line += np.linalg.solve(curvature, x.T @ (y - chance) - RIDGE * line)
            score[self.fold == k] = wide[self.fold == k] @ line
        return score


def plain_columns(study: Study) -> dict[str, pd.DataFrame]:
    """The columns of the newest row, and with them their growth since older rows."""
    counts = [n for n, (_, joined) in panel.COLUMNS.items() if joined == "max" and n not in panel.DATES]
    rows = study.series[["repository", "day", "created", "last_commit", "last_release", *counts]].copy()
    for name in ("created", "last_commit", "last_release"):
        rows[name] = (rows.day - rows[name]).dt.total_seconds() / 86400
    asked = study.members[["repository", "day"]].reset_index(names="row")
    now = asked.merge(rows, on=["repository", "day"]).set_index("row").sort_index()
    now = now.drop(columns=["repository", "day"]).add_prefix("now_")
    older = rows.rename(columns={n: f"now_{n}" for n in rows.columns[2:]} | {"day": "then"}).sort_values(
        "then"
    )
    growth = {}
    for lag in LAGS:
        wanted = asked.assign(at=asked.day - pd.Timedelta(days=lag)).sort_values("at")
        then = pd.merge_asof(
            wanted, older, left_on="at", right_on="then", by="repository", tolerance=pd.Timedelta(days=62)
        ).set_index("row").sort_index()  # fmt: skip
        growth[lag] = (now - then[now.columns]).add_suffix(f"_{lag}")
    return {
        "its newest row": now,
        "+ growth in 365 days": pd.concat([now, growth[365]], axis=1),
        "+ growth in 90 and 365 days": pd.concat([now, growth[90], growth[365]], axis=1),
        "+ growth in 30, 90, 180, 365 days": pd.concat([now, *growth.values()], axis=1),
    }


def plain_models(study: Study, ours: np.ndarray) -> None:
    """What models without our features reach on the same folds."""
    print(f"days since last commit: {study.auc(study.members.idle_days.to_numpy()):.3f}")
    for name, inputs in plain_columns(study).items():
        trees = study.boosted(inputs, study.asked, **PLAIN)
        print(f"{name}: {inputs.shape[1]} columns, boosting {study.auc(trees):.3f}, logistic "
              f"{study.auc(study.logistic(inputs, study.asked)):.3f}, ours {study.more(trees, ours)}", flush=True)  # fmt: skip


def more_repositories(study: Study, ours: np.ndarray) -> None:
    """The same features learned from fewer repositories."""
    names, place = np.unique(study.repositories, return_inverse=True)
    for share in SHARES:
        rows = (np.random.default_rng(0).random(len(names)) < share)[place]
        score = study.boosted(study.features, rows)
        learned = len(set(study.repositories[rows])) * (train_outlook.FOLDS - 1) // train_outlook.FOLDS
        print(f"{learned} repositories: {study.auc(score):.3f}; all: {study.more(score, ours)}", flush=True)


def missed(study: Study, ours: np.ndarray) -> None:
    """Whose fall into silence costs the AUC, and what a further signal would have to be worth."""
    rows = study.members[study.asked].assign(
        happened=study.happened[study.asked], score=ours[study.asked],
        commits=study.features.commits_a_month_200[study.asked],
    )  # fmt: skip
    silent = rows[rows.happened == 1].copy()
    others = np.sort(rows.score[rows.happened == 0])
    silent["lost"] = 1 - np.searchsorted(others, silent.score) / len(others)
    last = study.series.groupby("repository").last_commit.max()
    silent["revived"] = silent.repository.map(last) > silent.last_commit
    worst = silent.nlargest(len(silent) // 5, "lost")
    print(
        f"{len(silent)} rows of {silent.repository.nunique()} repositories fell silent, "
        f"{silent.revived.mean():.0%} only paused: a later row shows a commit again"
    )
    print(f"a fifth of them makes {worst.lost.sum() / silent.lost.sum():.0%} of what is missing to 1: "
          f"median {worst.commits.median():.1f} commits a month, last one {worst.idle_days.median():.0f} days ago; "
          f"of the other four fifths {silent.drop(worst.index).commits.median():.1f} and "
          f"{silent.drop(worst.index).idle_days.median():.0f}")  # fmt: skip
    for_good = rows.drop(silent.index[silent.revived])
    print(f"AUC without the pauses: {auc(for_good.happened.to_numpy(), for_good.score.to_numpy()):.3f}")
    normal = NormalDist()
    apart = [2**0.5 * normal.inv_cdf(x) for x in (study.auc(ours), GOAL)]
    lacking = (apart[1] ** 2 - apart[0] ** 2) ** 0.5
    print(f"for {GOAL} a further signal, independent of the rest, must reach an AUC of "
          f"{normal.cdf(lacking / 2**0.5):.2f} by itself (equal normal spreads)")  # fmt: skip


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("--rounds", type=int, default=train_outlook.ROUNDS)
    given = parser.parse_args()
    study = Study(given.panel, given.rounds)
    ours = study.boosted(study.features, np.ones(len(study.fold), dtype=bool))
    print(f"our features: {study.auc(ours):.3f}", flush=True)
    for part in (missed, plain_models, more_repositories):
        print(f"\n{part.__doc__}")
        part(study, ours)


if __name__ == "__main__":
    main()
