"""Reads package.json of a project and of installed npm packages."""

from __future__ import annotations

import json
import re
from pathlib import Path

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import remove_credentials
from advisor.answers.dependencies.text import Lines, parse_json, read_text
from advisor.errors import InputError

_KINDS = {
    "dependencies": (),
    "optionalDependencies": ("optional",),
    "peerDependencies": ("peer",),
    "devDependencies": ("dev",),
}
_SHORTHAND = re.compile(r"[A-Za-z0-9][\w-]*/[\w.-]+(?:#.*)?")
_LOCAL = ("file:", "link:", "workspace:", "http:", "https:", "git", ".", "/", "~/")


def read_package_json(path: Path) -> list[Dependency]:
    """Return the packages that a package.json names.

    Raises:
        InputError: the file is malformed.
    """
    text = read_text(path)
    content, lines = parse_json(path, text), Lines(text)
    dependencies = []
    for key, groups in _KINDS.items():
        entries = content.get(key, {})
        if not isinstance(entries, dict):
            raise InputError(f"{path}: {key} must be an object of names and versions")
        for alias, requirement in entries.items():
            spec = str(requirement)
            name = alias
            if spec.startswith("npm:"):  # an alias: npm:real-name@1.2
                name, _, spec = spec[4:].rpartition("@") if "@" in spec[5:] else (spec[4:], "", "")
            if _SHORTHAND.fullmatch(spec):
                spec = f"github:{spec}"
            is_local = spec.startswith(_LOCAL)
            dependencies.append(
                Dependency(
                    "npm",
                    name,
                    path.name,
                    lines.find(alias),
                    version=spec if re.fullmatch(r"\d+\.\d+\.\d+[\w.+-]*", spec) else None,
                    groups=groups,
                    repository=github_repository(spec)
                    if is_local
                    else installed_repository(path.parent, alias),
                    local=remove_credentials(spec) if is_local else "",
                )
            )
    return dependencies


def installed_repository(folder: Path, name: str) -> str | None:
    """Return the repository in an installed package's package.json; None: there is none."""
    path = folder / "node_modules" / name / "package.json"
    try:
        content = json.loads(read_text(path)) if path.is_file() else {}
    except (InputError, ValueError, RecursionError):  # the file is optional
        return None
    entry = content.get("repository") if isinstance(content, dict) else None
    url = entry.get("url") if isinstance(entry, dict) else entry
    if not isinstance(url, str):
        return None
    return github_repository(f"github:{url}" if _SHORTHAND.fullmatch(url) else url)
