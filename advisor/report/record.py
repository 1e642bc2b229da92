"""Who chose the weights of an answer, and how well such weights ordered libraries, in sentences.

`data/reference/record.json` is the output of ``advisor backtest --weights``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from advisor.domain.files import data_folder
from advisor.domain.fitted_weights import CRITERIA, OUTCOMES
from advisor.model import Recommendation

FILE = "reference/record.json"
STARS = "most stars"
TOLERANCE = 1e-3  # of a weight; the record has four digits


def describe_weights(answer: Recommendation) -> list[str]:
    """Return who chose the weights, and the record of these weights if they were judged."""
    weights = {name: weight for name, weight in answer.weights.items() if weight > 0}
    fitted_names = [name for name in weights if name in CRITERIA] if answer.outcomes else []
    experts = [name for name in weights if name not in fitted_names]
    sentences = []
    if fitted_names:
        ends = ", ".join(f"{name} ({OUTCOMES[name]})" for name in answer.outcomes)
        shares = ", ".join(f"{name} {weights[name]:.0%}" for name in fitted_names)
        sentences.append(f"chosen by what became of libraries two years later: {ends}; {shares}")
    if experts:
        shares = ", ".join(f"{name} {weights[name]:.0%}" for name in experts)
        sentences.append(f"chosen by {'an expert' if fitted_names else 'an expert or by you'}: {shares}")
    record = describe_record(answer.weights, answer.outcomes)
    return [*sentences, *([record] if record else [])]


def describe_record(weights: Mapping[str, float], outcomes: tuple[str, ...]) -> str | None:
    """Return how often such weights ordered pairs rightly; None if these weights were not judged.

    Args:
        weights: criterion → weight; the criteria that a panel does not show do not count.
        outcomes: those that gave the weights.
    """
    record = _read_record()
    for goal, goal_weights in record.get("weights", {}).items():
        if outcomes and _are_equal(weights, goal_weights):
            figures = [record["outcomes"][name] for name in outcomes]
            ours = ", ".join(
                f"{100 * row[f'goal {goal}']['value']:.0f} ({name})"
                for name, row in zip(outcomes, figures, strict=True)
            )
            stars = ", ".join(f"{100 * row[STARS]['value']:.0f}" for row in figures)
            return (
                f"record: on {record['repositories']:,} libraries that they had not learned from,"
                f" these weights ordered {ours} of 100 pairs rightly; the number of stars {stars}"
            )
    return None


def _are_equal(weights: Mapping[str, float], goal_weights: Mapping[str, float]) -> bool:
    """Return whether the weights of the criteria that a panel shows have the same ratios."""
    ours, theirs = (sum(row.get(name, 0.0) for name in CRITERIA) for row in (weights, goal_weights))
    return ours > 0 and all(
        abs(weights.get(name, 0.0) / ours - goal_weights.get(name, 0.0) / theirs) <= TOLERANCE
        for name in CRITERIA
    )


@cache
def _read_record() -> Mapping[str, Any]:
    path = data_folder() / FILE
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content
