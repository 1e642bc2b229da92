"""Reference values of the page: percentiles of the reference population, and the outlook's calibration.

Both are files of `data/reference/`; without a file, the page says that there is no measurement.
"""

from __future__ import annotations

import json
import math
from typing import Any

from advisor.domain.files import data_folder
from advisor.domain.percentiles import load_percentiles


def percentiles() -> dict[str, Any] | None:
    """Return for each metric the day, the number of active libraries and their percentiles."""
    reference = load_percentiles()
    if reference is None:
        return None
    return {
        metric: {"as_of": reference.active.as_of.isoformat(), "n": cell.n, "values": list(cell.values)}
        for metric, cell in reference.active.of_all().items()
    }


def calibration() -> list[dict[str, Any]]:
    """Return for each horizon the bins of forecast chances and the outcomes of their libraries.

    Returns:
        ``months``, ``libraries``, ``days`` (first and last day of the forecasts) and ``bins``: from and to
        (forecast chance), low and high (95 % interval of the share that were abandoned then), ascending.
    """
    path = data_folder() / "reference" / "outlook.json"
    if not path.exists():
        return []
    model = json.loads(path.read_text(encoding="utf-8"))
    horizons = []
    for months, line in sorted(
        model["outcomes"]["abandoned"]["calibrations"].items(), key=lambda pair: int(pair[0])
    ):
        edges = [1 / (1 + math.exp(-(line["intercept"] + line["slope"] * b[0]))) for b in line["bins"]]
        horizons.append(
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
    return horizons
