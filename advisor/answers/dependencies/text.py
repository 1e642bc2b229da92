"""Reads text, TOML and JSON of a limited size, and finds the line of a name."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from advisor import files
from advisor.errors import InputError

SIZE_LIMIT = 64 * 2**20
"""In bytes; the SBOM of a large system has about 20 million."""


_KEY_LIMIT = 100
_KEY_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
# tomllib needs quadratic time for a key of many parts (a.a.a…).
_LONG_KEY = re.compile(rf"""(?<![\w.\-"']){_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART}){{{_KEY_LIMIT}}}""")


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        InputError: it cannot be read, is no ordinary file, is not UTF-8 or is larger than `SIZE_LIMIT`.
    """
    return files.read_text(path, SIZE_LIMIT)


def resolve(path: Path) -> Path:
    """Return the absolute path without links; a link that leads to itself stays.

    Raises:
        InputError: it is not the name of a file.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # NUL
        raise InputError(f"{str(path)!r} is not the name of a file") from None


def is_inside(path: Path, folders: Iterable[Path]) -> bool:
    """Return whether a file is in one of these folders, also after following links."""
    place = resolve(path)
    return any(place.is_relative_to(resolve(folder)) for folder in folders)


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Return the table of a TOML text.

    Raises:
        InputError: the text is not TOML.
    """
    if _LONG_KEY.search(text):
        raise InputError(f"{path}: a key has more than {_KEY_LIMIT} parts")
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


_QUOTE_LIMIT = 100


def shorten(text: str) -> str:
    """Return a text for an error; a long one without its end."""
    return text if len(text) <= _QUOTE_LIMIT else f"{text[:_QUOTE_LIMIT]}…"


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
