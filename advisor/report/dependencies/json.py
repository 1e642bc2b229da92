"""What a project depends on, with every number: equal bytes for equal input."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.json import plain


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """``known`` with the riskiest first, ``unknown`` with the reason of each; ``below`` names who fails."""
    content = {
        "files": answer.files,
        "goal": answer.goal,
        "weights": dict(answer.weights),
        "fail_under": fail_under,
        "below": [
            h.dependency.name for h in answer.known if fail_under is not None and h.is_below(fail_under)
        ],
        "known": [_entry(h) for h in answer.known],
        "unknown": [_entry(h) for h in answer.unknown],
    }
    return json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n"


def _entry(health: Health) -> dict[str, Any]:
    found = {**asdict(health.dependency), **{k: v for k, v in asdict(health).items() if k != "dependency"}}
    if found["ranked"]:
        for key in ("rank", "wins", "acceptability", "central_weights"):  # of no meaning by itself
            del found["ranked"][key]
    return found
