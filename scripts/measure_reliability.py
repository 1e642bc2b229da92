"""Measure how many libraries with a score were abandoned 24 months later, and write the bands of scores.

    python scripts/measure_reliability.py PANEL.parquet -o data/reference/reliability.json --only unseen.txt

The score is that of the domain `dependencies`, goal balanced, from the criteria that a panel shows. --only names
the libraries of which its weights had learned nothing, and trees that did not see a library give its outlook.
--outlook names another model of scripts/train_outlook.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advisor.answers.backtest import ranking, run
from advisor.answers.backtest.figures import wilson
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.outlook import model, panel

if TYPE_CHECKING:
    import pandas as pd

BANDS = 12
ACTIVE_DAYS = 365


def merge_bands(
    scores: np.ndarray, abandoned: np.ndarray, repositories: np.ndarray
) -> list[dict[str, float]]:
    """Return bands of scores whose share of abandoned libraries does not rise with the score.

    They start as bands of equal size; neighbours in the wrong order become one (Ayer et al. 1955).
    """
    bands: list[np.ndarray] = []
    for rows in np.array_split(np.argsort(scores, kind="stable"), BANDS):
        bands.append(rows)
        while len(bands) > 1 and abandoned[bands[-1]].mean() >= abandoned[bands[-2]].mean():
            last = bands.pop()
            bands[-1] = np.concatenate([bands[-1], last])
    result = []
    for rows in bands:
        n, share = len(set(repositories[rows])), float(abandoned[rows].mean())
        low, high = wilson(share * n, n)
        ends = scores[rows].min(), scores[rows].max()
        result.append(
            {"lowest": round(float(ends[0]), 1), "highest": round(float(ends[1]), 1), "n": len(rows),
             "share": round(share, 4), "low": round(low, 4), "high": round(high, 4)}
        )  # fmt: skip
    return result


def score_members(
    series: pd.DataFrame, members: pd.DataFrame, values: pd.DataFrame
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the score of each member, 0 to 100, and the weights of the criteria that a panel shows."""
    domain = load_domain("dependencies")
    metrics = ranking.compute_metrics(series, members, values)
    criteria = ranking.score_criteria(
        [c for c in domain.criteria if any(s.metric in metrics for s in c.scales)], metrics
    )
    weights = {n: w for n, w in domain.goals[domain.default_goal].weights.items() if n in criteria}
    scores = 100 * ranking.weigh(criteria, weights) / sum(weights.values())
    return scores, weights


def main() -> None:
    """Read the panel, score its libraries on past days, and write the bands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", type=Path, metavar="FILE", help="Count only these: one owner/name a line.")
    parser.add_argument("--outlook", type=Path)
    options = parser.parse_args()
    try:
        series = run.select_repositories(panel.read_panel(options.panel), options.only)
        trees = model.load_model(options.outlook or data_folder() / "reference" / "outlook.json")
        days = run.default_days(series, ranking.MONTHS)
        members, values = run.forecast(series, days, ranking.MONTHS, ACTIVE_DAYS, trees)
    except InputError as error:
        sys.exit(f"error: {error}")
    scores, weights = score_members(series, members, values)
    abandoned = panel.label_abandonment(series, members, ranking.MONTHS).to_numpy()
    known = ~np.isnan(abandoned)
    bands = merge_bands(scores[known], abandoned[known], members.repository.to_numpy(dtype=str)[known])
    about = {
        "made_by": "scripts/measure_reliability.py",
        "repositories": int(members.repository[known].nunique()),
        "days": [str(days[0]), str(days[-1])],
        "weights": {name: round(weight, 2) for name, weight in weights.items()},
    }
    options.output.write_text(json.dumps({"about": about, "bands": bands}, indent=1) + "\n")
    for band in bands:
        print("{lowest:5.1f} to {highest:5.1f}: {share:.1%} [{low:.1%}-{high:.1%}], n {n}".format(**band))


if __name__ == "__main__":
    main()
