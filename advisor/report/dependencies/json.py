"""The dependencies of a project as JSON, with every number."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.json import write_json


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return ``known`` with the riskiest first, ``unknown`` with reasons.

    ``below`` names the packages that fail, ``excluded`` those that a rule excludes: they fail at any score.
    """
    return write_json(
        "dependencies",
        {
            "files": answer.files,
            "goal": answer.goal,
            "weights": dict(answer.weights),
            "fail_under": fail_under,
            "below": [
                h.dependency.name
                for h in answer.known
                if fail_under is not None and h.is_below(fail_under, certainly=answer.is_certain)
            ],
            "certainly_below": [
                h.dependency.name
                for h in answer.known
                if fail_under is not None and h.is_below(fail_under, certainly=True)
            ],
            "problems": answer.problems,
            "notes": answer.notes,
            "excluded": [h.dependency.name for h in answer.known if h.ranked and h.ranked.excluded],
            "known": [_entry(h) for h in answer.known],
            "unknown": [_entry(h) for h in answer.unknown],
        },
    )


def _entry(health: Health) -> dict[str, Any]:
    own = {k: v for k, v in asdict(health).items() if k != "dependency"}
    band = health.band
    share = {"share": band.share, "low": band.low, "high": band.high} if band else None
    lists = {"rests_on_lists": health.rests_on_lists}
    dependency = {k: v for k, v in asdict(health.dependency).items() if k not in {"requires", "size_bytes"}}
    return {**dependency, **own, **lists, "abandoned_at_this_score": share}
