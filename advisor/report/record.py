"""The record of a goal's weights in a sentence, from a back-test that nobody learned from.

`data/reference/record.json` is the output of ``advisor backtest --weights``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from advisor.domain.files import data_folder

FILE = "reference/record.json"
OUTCOME, STARS = "alive", "most stars"
CRITERIA = ("contributors", "issues", "activity", "adoption")
TOLERANCE = 1e-6


def describe_record(weights: Mapping[str, float]) -> str | None:
    """Return how often such weights ordered pairs rightly; None if these weights were not judged.

    Args:
        weights: criterion → weight; the criteria that the back-test cannot measure do not count.
    """
    record = _read_record()
    total = sum(weights.get(name, 0.0) for name in CRITERIA)
    if not record or not total:
        return None
    for name, figures in record["outcomes"][OUTCOME].items():
        ratios = name.removeprefix("weights ").split(":")
        if not name.startswith("weights ") or len(ratios) != len(CRITERIA):
            continue
        whole = sum(map(float, ratios))
        if all(
            abs(weights.get(n, 0.0) / total - float(r) / whole) <= TOLERANCE
            for n, r in zip(CRITERIA, ratios, strict=True)
        ):
            stars = record["outcomes"][OUTCOME][STARS]
            return (
                f"record: these weights ordered {100 * figures['value']:.0f} of 100 pairs rightly two years"
                f" later (who was not abandoned); by stars {100 * stars['value']:.0f}."
            )
    return None


@cache
def _read_record() -> Mapping[str, Any]:
    path = data_folder() / FILE
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content
