"""Reads text, TOML, XML and JSON of a limited size, and finds the line of a name."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

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


def parse_yaml(path: Path, text: str) -> Any:
    """Return the content of a YAML text; of several documents, the last one, as pnpm reads its locks.

    Raises:
        InputError: the text is not YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [d for d in yaml.load_all(text, Loader=loader) if d is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    return documents[-1] if documents else None


def parse_xml(path: Path, text: str) -> ET.Element:
    """Return the first element of an XML text.

    Raises:
        InputError: the text is not XML, or it has a document type, which may define entities.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: it has a document type, which advisor does not read")
    try:
        return ET.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except (ET.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None


_COMMENT_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+"?|(?P<drop>//[^\n]*+|,(?=\s*+[}\]]))', re.DOTALL)


def parse_json_with_commas(path: Path, text: str) -> dict[str, Any]:
    """Return the object of a JSON text that may have comments and commas after the last element.

    Raises:
        InputError: the text is not a JSON object.
    """
    return parse_json(path, _COMMENT_OR_COMMA.sub(lambda m: "" if m["drop"] else m[0], text))


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


_WORD = re.compile(r"[@A-Za-z0-9][\w./@-]*")
_KEY = re.compile(r"""[\s"'{,]*([@A-Za-z0-9][\w./@-]*)["']?\s*[:=]""")
_BLOCK = re.compile(r"^[ \t]*\[\[packages?\]\]", re.MULTILINE)
_NAME = re.compile(r"^[ \t]*name[ \t]*=", re.MULTILINE)


def split_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line of the name, text) of each block ``[[package]]`` of a TOML text, with its own tables."""
    starts = [m.start() for m in _BLOCK.finditer(text)]
    line, position = 1, 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        name = _NAME.search(text, start, end)
        place = name.start() if name else start
        line += text.count("\n", position, place)
        position = place
        yield line, text[start:end]


def find_items(text: str, key: str) -> list[int]:
    """Return the line of each item in the list of a key at the start of a line of a YAML text."""
    lines: list[int] = []
    is_inside_list, indent = False, None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.lstrip(" ")
        depth = len(line) - len(words)
        if depth == 0 and words and not words.startswith(("-", "#")):
            is_inside_list, indent = words.startswith(f"{key}:"), None
        elif is_inside_list and words.startswith("- ") and depth == (depth if indent is None else indent):
            indent = depth
            lines.append(number)
    return lines


class Lines:
    """The first line of each name in a text; built once, because lock files have thousands of names."""

    def __init__(self, text: str) -> None:
        self._first_lines: dict[str, int] = {}
        self._first_keys: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if key := _KEY.match(line):
                self._first_keys.setdefault(key[1].lower(), number)
            for word in _WORD.findall(line):
                self._first_lines.setdefault(word.rstrip(".").lower(), number)

    def find_key(self, name: str) -> int:
        """Return the number of the first line that starts with the name as a key; else as `find`."""
        return self._first_keys.get(name.lower()) or self.find(name)

    def find(self, name: str) -> int:
        """Return the number of the line, from 1; 1 if the name is not in the text."""
        return self._first_lines.get(name.lower(), 1)
