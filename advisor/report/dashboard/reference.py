"""What the page compares with: percentiles of the reference population, and how past outlooks came out.

Both are files of `data/reference/`; where one is not there, the page says that nothing was measured.
"""

from __future__ import annotations

import csv
import json
import math
from typing import Any

from advisor.domain import data_folder

PERCENTILES = (5, 10, 25, 50, 75, 90, 95)


def population() -> dict[str, Any] | None:
    """Metric → day, number of libraries and their percentiles (`PERCENTILES`), over all ages and sizes."""
    path = data_folder() / "reference" / "population.csv"
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["age"] == r["size"] == "all"]
    return {
        r["metric"]: {
            "as_of": r["as_of"],
            "n": int(r["n"]),
            "values": [float(r[f"p{p:02}"]) for p in PERCENTILES],
        }
        for r in rows
    }


def calibration() -> list[dict[str, Any]]:
    """For each horizon the bins of chances that were told, and what came of the libraries in them.

    Returns:
        ``months``, ``libraries``, ``days`` (first and last on which a chance was told) and ``bins``: from
        and to (chance told), low and high (95 % interval of the share that fell silent), ascending.
    """
    path = data_folder() / "reference" / "outlook.json"
    if not path.exists():
        return []
    model = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for months, line in sorted(model["calibrations"].items(), key=lambda pair: int(pair[0])):
        edges = [1 / (1 + math.exp(-(line["intercept"] + line["slope"] * b[0]))) for b in line["bins"]]
        found.append(
            {
                "months": int(months),
                "libraries": model["about"]["repositories"],
                "days": [model["about"]["first_day"], model["about"]["last_day"]],
                "bins": [
                    [round(before, 6), round(edge, 6), low, high]
                    for before, edge, (_, low, high) in zip([0.0, *edges], edges, line["bins"], strict=False)
                ],
            }
        )
    return found
