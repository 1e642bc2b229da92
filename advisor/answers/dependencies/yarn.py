"""Reads yarn.lock of version 1, which has a format of its own, and of berry (2 and later), which is YAML.

Sources: classic.yarnpkg.com, "yarn.lock"; yarnpkg.com, "Protocols" and "Lexicon" (locator).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.npm_locks import Entry, build_dependencies
from advisor.answers.dependencies.text import parse_yaml
from advisor.errors import InputError

_WORD = re.compile(r'"((?:[^"\\]|\\.)*+)"?|([^\s",:]+(?::[^\s",:]+)*+)')
_ESCAPE = re.compile(r"%([2-7][0-9A-Fa-f])")
_PATCH = re.compile(r"[^#]*@npm(?:%3A|:)(?P<version>[^#:]+)", re.IGNORECASE)


def read_yarn_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a lock file without the project itself and the others of its workspace.

    Raises:
        InputError: the file is malformed.
    """
    is_berry = "\n__metadata:" in f"\n{text}"
    try:
        entries = list(_berry_entries(path, text) if is_berry else _entries(path, text))
        return build_dependencies(path, text, entries, {})
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a lock file of yarn ({error})") from None


def _entries(path: Path, text: str) -> Iterator[Entry]:
    """Yield the packages of version 1: a line of names with ranges, then indented fields."""
    key = ""
    fields: dict[str, str] = {}
    requires: list[str] = []
    for number, line in enumerate([*text.splitlines(), "end:"], start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        words = [inner or plain for inner, plain in _WORD.findall(line)]
        if indent == 0:
            if key:
                yield _entry(key, fields, requires)
            if not words or not line.endswith(":"):
                raise InputError(f"{path}:{number}: not a line of yarn.lock")
            key, fields, requires = words[0], {}, []
        elif indent == 2 and len(words) > 1:
            fields[words[0]] = words[1]
        elif indent > 2 and words:
            requires.append(words[0])


def _entry(key: str, fields: Mapping[str, str], requires: list[str]) -> Entry:
    name, wish = _split(key)
    address = fields.get("resolved", "")
    if wish.startswith("npm:"):  # an alias
        name = wish[4:].rpartition("@")[0] or wish[4:]
    elif "/" in wish or ":" in wish:  # a path, or an address of git or of an archive
        return Entry(name, address or wish, requires=tuple(dict.fromkeys(requires)))
    return Entry(name, fields.get("version", ""), address, requires=tuple(dict.fromkeys(requires)))


def _split(key: str) -> tuple[str, str]:
    """Return name and range of ``name@range``; a name may begin with ``@``."""
    at = key.index("@", 1)
    return key[:at], key[at + 1 :]


def _berry_entries(path: Path, text: str) -> Iterator[Entry]:
    content = parse_yaml(path, text)
    for key, entry in content.items():
        if key == "__metadata":
            continue
        name, place = _split(str(entry["resolution"]))
        if place.startswith("workspace:"):
            continue
        plain, _, archive = place.partition("::__archiveUrl=")
        if plain.startswith("patch:"):
            if not (patch := _PATCH.match(plain)):
                continue  # a patch of another package of the workspace
            plain = f"npm:{patch['version']}"
        version = plain.removeprefix("npm:")
        requires = _names(entry.get("dependencies"))
        yield Entry(name, version, _unquote(archive), requires=requires)


def _unquote(text: str) -> str:
    """Return an address with ASCII characters unquoted; urllib can open connections, so it is not used."""
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)


def _names(table: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(table) if isinstance(table, dict) else ()
