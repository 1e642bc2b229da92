"""Reads text, TOML and JSON of a limited size, and finds the line of a name."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from advisor.errors import InputError

SIZE_LIMIT = 64 * 2**20
"""In bytes; the SBOM of a large system has about 20 million."""


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        InputError: it cannot be read, is not UTF-8 or is larger than `SIZE_LIMIT`.
    """
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path} is larger than {SIZE_LIMIT // 2**20} MiB")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Return the table of a TOML text.

    Raises:
        InputError: the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None


def parse_json(path: Path, text: str) -> dict[str, Any]:
    """Return the object of a JSON text.

    Raises:
        InputError: the text is not a JSON object.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object")
    return content


class Lines:
    """The first line of each name in a text; built once, because lock files have thousands of names."""

    def __init__(self, text: str) -> None:
        self._first_lines: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            for word in re.findall(r"[@A-Za-z0-9][\w./@-]*", line):
                self._first_lines.setdefault(word.rstrip(".").lower(), number)

    def find(self, name: str) -> int:
        """Return the number of the line, from 1; 1 if the name is not in the text."""
        return self._first_lines.get(name.lower(), 1)
