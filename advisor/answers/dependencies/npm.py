"""Reads package.json of a project and of installed npm packages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.graph import Groups
from advisor.answers.dependencies.text import Lines, is_inside, parse_json, read_text
from advisor.errors import InputError

_KINDS: Mapping[str, Groups] = {
    "dependencies": (),
    "optionalDependencies": ("optional",),
    "peerDependencies": ("peer",),
    "devDependencies": ("dev",),
}
NAME_LIMIT = 214
"""Most characters in a name, as npm's documentation says."""
_SHORTHAND = re.compile(r"[A-Za-z0-9][\w-]*/[\w.-]+(?:#.*)?")
_NAME = re.compile(r"(?:@[\w~-][\w~.-]*/)?[\w~!'()*-][\w~!'()*.-]*", re.ASCII)
# A path, or any protocol but those that take a package from the registry.
_LOCAL = re.compile(r"[./]|~/|git@|(?!npm:|catalog:)[A-Za-z][\w+.-]*:")


def read_package_json(path: Path, text: str) -> list[Dependency]:
    """Return the packages that a package.json names.

    Raises:
        InputError: the file is malformed.
    """
    content, lines = parse_json(path, text), Lines(text)
    dependencies = []
    for key, groups in _KINDS.items():
        entries = content.get(key, {})
        if not isinstance(entries, dict):
            raise InputError(f"{path}: {key} must be an object of names and versions")
        for alias, requirement in entries.items():
            if alias.startswith("//"):  # a comment: JSON has no others
                continue
            spec = str(requirement)
            name = alias
            if spec.startswith("npm:"):  # an alias: npm:real-name@1.2
                name, _, spec = spec[4:].rpartition("@") if "@" in spec[5:] else (spec[4:], "", "")
            check_name(path, alias)
            check_name(path, name)
            if _SHORTHAND.fullmatch(spec):
                spec = f"github:{spec}"
            is_local = bool(_LOCAL.match(spec))
            claim = None if is_local else installed_repository(path.parent, alias)
            dependencies.append(
                Dependency(
                    "npm",
                    name,
                    path.name,
                    lines.find(alias),
                    version=spec if re.fullmatch(r"\d+\.\d+\.\d+[\w.+-]*", spec) else None,
                    groups=groups,
                    repository=github_repository(spec) if is_local else claim,
                    local=remove_credentials(spec) if is_local else "",
                    is_claim=claim is not None,
                )
            )
    return dependencies


def find_roots(entry: Mapping[str, Any]) -> dict[str, Groups]:
    """Return the names that a package.json, or the entry of a project in a lock, requires → groups."""
    roots: dict[str, Groups] = {}
    for key, groups in _KINDS.items():
        table = entry.get(key)
        for name in table if isinstance(table, dict) else ():
            roots.setdefault(name, groups)
    return roots


def check_name(path: Path, name: str) -> None:
    """Check the name of a package before it becomes a path or a request.

    Raises:
        InputError: npm allows no such name.
    """
    if len(name) > NAME_LIMIT or not _NAME.fullmatch(name) or name.lower() == "node_modules":
        raise InputError(f"{path}: {name[:NAME_LIMIT]!r} is not the name of an npm package")


def installed_repository(folder: Path, name: str) -> str | None:
    """Return the repository in an installed package's package.json; None: there is none."""
    path = folder / "node_modules" / name / "package.json"
    try:
        is_own = path.is_file() and is_inside(path, [folder])
        content = json.loads(read_text(path)) if is_own else {}
    except (InputError, ValueError, RecursionError):  # the file is optional
        return None
    entry = content.get("repository") if isinstance(content, dict) else None
    url = entry.get("url") if isinstance(entry, dict) else entry
    if not isinstance(url, str):
        return None
    return github_repository(f"github:{url}" if _SHORTHAND.fullmatch(url) else url)
