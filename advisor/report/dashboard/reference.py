"""What the page compares with: percentiles of the reference population, and how past outlooks came out.

Both are files of `data/reference/`; where one is not there, the page says that nothing was measured.
"""

from __future__ import annotations

import json
import math
from typing import Any

from advisor.domain.files import data_folder
from advisor.domain.population import load_population


def population() -> dict[str, Any] | None:
    """Metric → day, number of libraries and their percentiles, over all active ones of any age and size."""
    found = load_population()
    if found is None:
        return None
    return {
        metric: {"as_of": found.active.as_of.isoformat(), "n": cell.n, "values": list(cell.values)}
        for metric, cell in found.active.of_all().items()
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
