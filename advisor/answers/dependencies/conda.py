"""Reads environment.yml of conda, with its pip section, and the lock files of conda-lock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import pick_index
from advisor.answers.dependencies.requirements_txt import read_requirements
from advisor.answers.dependencies.text import Lines, find_items, parse_yaml, shorten
from advisor.errors import InputError

# channel::name, then a version after = or == (and a build after another =), or bounds
_MATCH_SPEC = re.compile(r"(?:[\w./:-]+::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?:==?\s*(?P<version>[\w.!+]+))?")
_NAME_END = re.compile(r"[\s\[<>=!~;@]")


def read_environment(path: Path, text: str, include_folders: Sequence[Path] = ()) -> list[Dependency]:
    """Return the packages of an environment.

    Args:
        path: the file.
        text: its content.
        include_folders: folders besides its own whose requirements files it may include.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_yaml(path, text)
    entries = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list `dependencies`")
    lines = Lines(text)
    dependencies = []
    for entry in entries:
        if isinstance(entry, str):
            spec = _MATCH_SPEC.match(entry)
            if not spec:
                raise InputError(
                    f"{path}: {shorten(entry)!r} is not a conda package; write name or name=version"
                )
            name = spec["name"].lower()
            line = lines.find(spec["name"])
            dependencies.append(Dependency("conda", name, path.name, line, version=spec["version"]))
        elif isinstance(entry, dict):
            items = [str(item) for item in entry.get("pip") or ()]
            dependencies += _read_pip(path, items, text, include_folders)
    return dependencies


def _read_pip(
    path: Path, items: Sequence[str], text: str, include_folders: Sequence[Path]
) -> list[Dependency]:
    """Return the packages of the pip section, which conda writes into a requirements file, one item a line.

    What is editable is the project itself.
    """
    places = _find_places(text, items)
    requirements = "\n".join(
        "" if item.startswith(("-e", "--editable")) else " ".join(item.splitlines()) for item in items
    )
    try:
        entries = read_requirements(path, requirements, include_folders)
    except InputError as error:
        raise InputError(_move_line(str(error), path, places)) from None
    return [
        replace(d, line=places[d.line - 1]) if d.file == path.name and d.line <= len(places) else d
        for d in entries
    ]


def _find_places(text: str, items: Sequence[str]) -> list[int]:
    """Return the line of each item of the pip section; 1 if it is not in the text as it is."""
    lines = text.splitlines()
    number = next((n for n, line in enumerate(lines) if re.search(r"\bpip\s*:\s*(?:\[|$)", line)), 0)
    places = []
    for item in items:
        word = re.compile(rf"(?<![\w.-]){re.escape(_NAME_END.split(item, maxsplit=1)[0])}(?![\w-])")
        place = next((n for n in range(number, len(lines)) if word.search(lines[n])), None)
        number = number if place is None else place
        places.append(1 if place is None else place + 1)
    return places


def _move_line(message: str, path: Path, places: Sequence[int]) -> str:
    """Return a message about an item of the pip section with its line in the file."""

    def move(match: re.Match[str]) -> str:
        number = int(match[2])
        return f"{match[1]}:{places[number - 1] if number <= len(places) else 1}:"

    return re.sub(rf"^((?:{re.escape(str(path))}|{re.escape(path.name)})):(\d+):", move, message)


def read_conda_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a lock file of conda-lock; those of several platforms once.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_yaml(path, text)
    try:
        entries = content["package"]
        places = find_items(text, "package")
        if len(places) != len(entries):
            places = [1] * len(entries)
        return list(_conda_packages(path, entries, places))
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a lock file of conda-lock ({error})") from None


def _conda_packages(
    path: Path, entries: Sequence[Mapping[str, Any]], places: Sequence[int]
) -> Iterator[Dependency]:
    for entry, line in zip(entries, places, strict=True):
        is_pip = entry.get("manager") == "pip"
        name, url = str(entry["name"]), str(entry.get("url") or "")
        category = str(entry.get("category") or "main")
        is_address = is_pip and url.startswith(("git+", "file:"))
        yield Dependency(
            "pypi" if is_pip else "conda",
            canonicalize_name(name) if is_pip else name.lower(),
            path.name,
            line,
            version=str(entry["version"]) if entry.get("version") is not None else None,
            groups=() if category == "main" else (category,),
            repository=github_repository(url) if is_address else None,
            local=remove_credentials(url) if is_address else "",
            index=pick_index("pypi", [url]) if is_pip and url and not is_address else "",
            parents=None,
            requires=tuple(map(str, entry.get("dependencies") or {})),
        )
