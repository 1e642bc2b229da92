"""JSON of all reports: keys in the order of the model, equal bytes for equal input."""

from __future__ import annotations

import json
from typing import Any


def write_json(content: Any) -> str:
    """Return JSON with an indent of one; dates as YYYY-MM-DD, numbers rounded to ten digits."""
    return json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """Convert a value to JSON's own types: dates to text, numbers to ten digits."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 10)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
