"""The whole recommendation as JSON: keys in the order of the model, equal bytes for equal input."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from advisor.model import Recommendation


def render(answer: Recommendation) -> str:
    """JSON with an indent of one; dates as YYYY-MM-DD, numbers rounded to ten digits."""
    return json.dumps(plain(asdict(answer)), indent=1, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """A value in JSON's own types: dates as text, numbers rounded to ten digits."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 10)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def schema() -> dict[str, Any]:
    """The JSON schema of what `render` writes."""
    from pydantic import TypeAdapter

    return TypeAdapter(Recommendation).json_schema(mode="serialization")
