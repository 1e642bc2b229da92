"""Reads bun.lock, the text form of bun's lock file.

Source: bun.com/docs, "Lockfile": JSON with commas after the last element; each package is a list of
``name@version``, the registry or an object, what it requires, and its hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.npm import find_roots
from advisor.answers.dependencies.npm_locks import Entry, build_dependencies, merge_roots
from advisor.answers.dependencies.text import parse_json_with_commas
from advisor.errors import InputError


def read_bun_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a lock file without the project itself and the others of its workspace.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_json_with_commas(path, text)
    try:
        roots = merge_roots(map(find_roots, content["workspaces"].values()))
        entries = list(_entries(content.get("packages", {})))
        return build_dependencies(path, text, entries, roots, sets_groups=True)
    except (TypeError, AttributeError, KeyError, ValueError, IndexError) as error:
        raise InputError(f"{path}: not a lock file of bun ({error})") from None


def _entries(packages: Mapping[str, list[Any]]) -> Iterator[Entry]:
    for entry in packages.values():
        locator = str(entry[0])
        at = locator.index("@", 1)
        name, version = locator[:at], locator[at + 1 :]
        if version.startswith("workspace:"):
            continue
        registry = entry[1] if len(entry) > 1 and isinstance(entry[1], str) else ""
        table = next((part for part in entry[1:] if isinstance(part, dict)), {})
        yield Entry(name, version, registry if "://" in registry else "", requires=tuple(find_roots(table)))
