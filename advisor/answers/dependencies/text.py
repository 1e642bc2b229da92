"""Files that say what is needed: read whole, within bounds, and placed by line."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from advisor.errors import InputError

SIZE_LIMIT = 64 * 2**20
"""Bytes; an SBOM of a large system has some 20 million."""


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: it cannot be read, is no UTF-8 or is larger than `SIZE_LIMIT`.
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
    """TOML as a table.

    Raises:
        InputError: it is none.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None


def parse_json(path: Path, text: str) -> dict[str, Any]:
    """JSON as an object.

    Raises:
        InputError: it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: an object was expected")
    return found


class Lines:
    """On which line of a text a name first stands; built once, as locks name thousands."""

    def __init__(self, text: str) -> None:
        self._first: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            for word in re.findall(r"[@A-Za-z0-9][\w./@-]*", line):
                self._first.setdefault(word.rstrip(".").lower(), number)

    def of(self, name: str) -> int:
        """The line, from 1; 1 if it stands nowhere by itself."""
        return self._first.get(name.lower(), 1)
