"""JSON of all reports: keys in the order of the model, equal bytes for equal input."""

from __future__ import annotations

import json
from typing import Any

# The order of a ranked candidate's keys is part of the format: equal facts give equal bytes in every version.
RANKED_KEYS = (
    *("candidate", "rank", "score", "low", "high", "coverage", "wins", "excluded", "criteria", "findings"),
    *("undecided", "measurements", "acceptability", "central_weights", "outlook"),
)


def write_json(content: Any) -> str:
    """Return JSON with an indent of one; dates as YYYY-MM-DD, numbers rounded to ten digits."""
    return json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """Convert a value to JSON's own types: dates to text, numbers to ten digits."""
    if isinstance(value, dict):
        keys = RANKED_KEYS if value.keys() == set(RANKED_KEYS) else value
        return {key: plain(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 10)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
