"""Read the JSON files of a model's folder; a message names the file that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finetune.errors import ModelError


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        ModelError: the file cannot be read, or contains something else.
        FileNotFoundError: it does not exist.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
    except RecursionError:
        raise ModelError(f"{path} is not valid JSON for a model: it is nested too deeply") from None
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path} contains {describe_kind(value)}, not a JSON object")
    return value


def describe_kind(value: object) -> str:
    """Return the kind of a JSON value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds: dict[type, str] = {str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")
