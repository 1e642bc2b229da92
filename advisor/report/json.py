"""JSON of all reports: keys in the order of the model, equal bytes for equal input.

Every report begins with the same keys, `HEADER`. docs/reference/json.md is the contract.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advisor.version import __version__

if TYPE_CHECKING:
    from advisor.facts.facts_view import FactsView
    from advisor.report.formats import ReportName

SCHEMA_VERSION = 1
"""Goes up if a key is removed or renamed, or if its type or meaning changes; a new key leaves it as it is."""

# The order of a ranked candidate's keys is part of the format: equal facts give equal bytes in every version.
RANKED_KEYS = (
    *("candidate", "rank", "score", "low", "high", "coverage", "wins", "excluded", "criteria", "findings"),
    *("undecided", "measurements", "acceptability", "central_weights", "outlook"),
)


def schema_id(report: ReportName) -> str:
    """Return the ``$id`` of the schema of a report."""
    return f"urn:library-advisor:{report}:{SCHEMA_VERSION}"


def write_json(report: ReportName, content: Mapping[str, Any], views: Sequence[FactsView] = ()) -> str:
    """Return JSON with an indent of one; dates as YYYY-MM-DD, numbers rounded to ten digits.

    Args:
        report: the name of the report; its schema has it in its ``$id``.
        content: the report.
        views: the facts behind it.
    """
    header = {
        "schema": schema_id(report),
        "schema_version": SCHEMA_VERSION,
        "advisor_version": __version__,
        "generated_from": [_origin(view) for view in views],
    }
    return json.dumps(plain({**header, **content}), indent=1, ensure_ascii=False) + "\n"


def _origin(view: FactsView) -> dict[str, object]:
    """Return the name of a store, the day of the answer, and the hash that names its facts."""
    from advisor.facts.manifest import manifest_digest

    path = view.store.path
    return {"store": path.name, "as_of": view.as_of, "manifest_sha256": manifest_digest(path)}


def complete_schema(report: ReportName, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a report with its ``$id`` and the keys that all reports have."""
    text = {"type": "string"}
    origin = {
        "type": "object",
        "properties": {"store": text, "as_of": {**text, "format": "date"}, "manifest_sha256": text},
        "required": ["store", "as_of", "manifest_sha256"],
    }
    header = {
        "schema": {"const": schema_id(report)},
        "schema_version": {"const": SCHEMA_VERSION},
        "advisor_version": text,
        "generated_from": {"type": "array", "items": origin},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(report),
        **schema,
        "properties": {**header, **schema["properties"]},
        "required": [*header, *schema.get("required", [])],
    }


def plain(value: Any) -> Any:
    """Convert a value to JSON's own types: dates to text, numbers to ten digits, NaN to null."""
    if isinstance(value, dict):
        keys = RANKED_KEYS if value.keys() == set(RANKED_KEYS) else value
        return {key: plain(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 10)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
