"""Fit the weights of the criteria to what became of libraries, and print how well they order others.

    python scripts/fit_weights.py PANEL.parquet -o weights.json

For each outcome the weights are those of a logistic regression of "which of two libraries of one category and
day fared better" on the difference of their criteria's utilities, none below 0. With --leave-out and --until it
never learns from these repositories and later rows; let the back-test judge the file on nothing else:

    python scripts/fit_weights.py PANEL.parquet -o mine.json --leave-out unseen.txt --until 2024-04-01
    advisor backtest --panel PANEL.parquet --weights mine.json --only unseen.txt --at 2024-04-01
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from train_outlook import add_split_options, count_names, split_rows

from advisor.answers.backtest import ranking, run
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.outlook import model, panel

ACTIVE_DAYS = 180
PAIRS = 200  # of one category and day at most, so that large categories do not decide alone
RIDGE = 1e-4


def fit(rivals: list[tuple[str, np.ndarray]], inputs: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return weights ≥ 0 that add up to 1."""
    generator = np.random.default_rng(0)
    differences, shares = [], []
    for _, group in rivals:
        known = group[~np.isnan(outcome[group])]
        better, worse = np.nonzero(outcome[known][:, None] > outcome[known])
        chosen = generator.permutation(len(better))[:PAIRS]
        differences.append(inputs[known[better[chosen]]] - inputs[known[worse[chosen]]])
        shares.append(np.full(len(chosen), 1 / max(1, len(chosen)) ** 0.5))
    pairs, share = np.concatenate(differences), np.concatenate(shares)
    share = share / share.sum()

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = pairs @ weights
        slope = share / (1 + np.exp(np.clip(margin, -500, 500)))
        value = (share * np.logaddexp(0, -margin)).sum() + RIDGE * weights @ weights
        return value, 2 * RIDGE * weights - slope @ pairs

    start = np.ones(inputs.shape[1])
    weights = minimize(loss, start, jac=True, bounds=[(0, None)] * len(start), method="L-BFGS-B").x
    return weights / weights.sum()


def main() -> None:
    """Read the panel, fit the weights for each outcome, and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--outlook", type=Path, help="Use this model of scripts/train_outlook.py.")
    add_split_options(parser)
    options = parser.parse_args()
    try:
        content = fit_panel(options)
    except InputError as error:
        sys.exit(f"error: {error}")
    options.output.write_text(json.dumps(content, indent=1) + "\n")
    for outcome, weights in content["outcomes"].items():
        print(f"{outcome}: " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))


def fit_panel(options: argparse.Namespace) -> dict[str, object]:
    """Return the content of the file of weights."""
    series = split_rows(panel.read_panel(options.panel), options.leave_out, options.until)
    left_out = count_names(options.leave_out)
    trees = model.load_model(options.outlook or data_folder() / "reference" / "outlook.json")
    days = run.default_days(series, ranking.MONTHS)
    members, values = run.forecast(series, days, ranking.MONTHS, ACTIVE_DAYS, trees)
    inputs = ranking.score_criteria(ranking.read_criteria(), ranking.compute_metrics(series, members, values))
    outcomes = ranking.read_outcomes(series, members, values)
    rivals = ranking.find_rivals(members, np.ones(len(members), dtype=bool))
    fitted = {}
    for outcome in ranking.OUTCOMES:
        for names, suffix in ((list(inputs), ""), ([n for n in inputs if n != "outlook"], ranking.WITHOUT)):
            weights = fit(rivals, inputs[names].to_numpy(), outcomes[outcome].to_numpy())
            fitted[outcome + suffix] = {n: round(float(w), 4) for n, w in zip(names, weights, strict=True)}
    return {
        "format": ranking.FORMAT,
        "about": {
            "made_by": "scripts/fit_weights.py",
            "repositories": int(members.repository.nunique()),
            "days": [str(days[0]), str(days[-1])],
            "left_out": left_out,
            "until": str(options.until) if options.until else None,
        },
        "outcomes": fitted,
        "trained_on": sorted({model.digest(name) for name in members.repository}),
    }


if __name__ == "__main__":
    main()
