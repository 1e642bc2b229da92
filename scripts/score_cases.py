"""Score the public cases of Ossuary, packages with an incident and controls, on the day before each incident.

    python scripts/score_cases.py PANEL.parquet validation_results.json

The second file is in anicka-net/ossuary-risk. A case counts if the panel has its package and its day. The score is that
of the domain `dependencies`, goal balanced, from the criteria that a panel shows; see measure_reliability.py. A
case counts as risky if its score is below the line of `--fail-under "5% abandoned"`.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from measure_reliability import score_members

from advisor.answers.backtest import ranking, run
from advisor.answers.backtest.figures import auc
from advisor.domain.files import data_folder
from advisor.outlook import model, panel

IDS = {"pypi": "pypi_id", "npm": "npm_id", "cargo": "cargo_id"}
ACTIVE_DAYS = 365
LINE = 47.4


def find_cases(path: Path, ids: pd.DataFrame) -> pd.DataFrame:
    """Return the cases whose package the panel has: name, repository, is_incident, day."""
    rows = []
    last_day = ids.snap.max().date()
    for result in json.loads(path.read_text())["results"]:
        case = result["case"]
        column = IDS.get(case["ecosystem"])
        matches = ids[ids[column].str.lower() == case["name"].lower()] if column else ids[:0]
        if len(matches):
            day = date.fromisoformat(case["cutoff_date"]) if case["cutoff_date"] else last_day
            is_incident = case["expected_outcome"] == "incident"
            rows.append((case["name"], matches.repo.iloc[-1].lower(), is_incident, min(day, last_day)))
    return pd.DataFrame(rows, columns=["name", "repository", "is_incident", "day"])


def score_cases(cases: pd.DataFrame, series: pd.DataFrame) -> pd.Series:
    """Return the score of each case on its day; NaN if the panel has no active library of that name then."""
    trees = model.load_model(data_folder() / "reference" / "outlook.json")
    days = sorted(set(cases.day))
    members, values = run.forecast(series, days, ranking.MONTHS, ACTIVE_DAYS, trees)
    scores, _ = score_members(series, members, values)
    keys = zip(members.repository.str.lower(), members.as_of.dt.date, strict=True)
    score_by_key = dict(zip(keys, scores, strict=True))
    return pd.Series([score_by_key.get(key, np.nan) for key in zip(cases.repository, cases.day, strict=True)])


def main() -> None:
    """Read both files, and print what the scores say of the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("cases", type=Path)
    options = parser.parse_args()
    ids = pd.read_parquet(options.panel, columns=["repo", "snap", *IDS.values()]).sort_values("snap")
    cases = find_cases(options.cases, ids)
    cases["score"] = score_cases(cases, panel.read_panel(options.panel))
    known = cases[cases.score.notna()]
    is_low = known.score < LINE
    print(f"{len(cases)} cases in the panel, {len(known)} with a score on their day")
    for name, group in known.groupby("is_incident"):
        below = int((group.score < LINE).sum())
        kind = "incidents" if name else "controls"
        print(f"{kind}: {len(group)}, median {group.score.median():.0f}, {below} below {LINE}")
    for case in known[known.is_incident].itertuples():
        print(f"  {case.name} on {case.day}: {case.score:.0f}")
    true = int((is_low & known.is_incident).sum())
    print(f"precision {true} of {int(is_low.sum())}, recall {true} of {int(known.is_incident.sum())}")
    if known.is_incident.nunique() == 2:
        figure = auc(known.is_incident.to_numpy(float), -known.score.to_numpy())
        print(f"AUC {figure:.2f}")


if __name__ == "__main__":
    main()
