"""package.json of npm, and those of what it installed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import without_password
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


def read(path: Path) -> list[Dependency]:
    """What the package asks for.

    Raises:
        InputError: the file is wrong.
    """
    text = read_text(path)
    content, lines = parse_json(path, text), Lines(text)
    found = []
    for key, groups in _KINDS.items():
        entries = content.get(key, {})
        if not isinstance(entries, dict):
            raise InputError(f"{path}: {key} must be an object")
        for written, asked in entries.items():
            spec = str(asked)
            name = written
            if spec.startswith("npm:"):  # an alias: npm:real-name@1.2
                name, _, spec = spec[4:].rpartition("@") if "@" in spec[5:] else (spec[4:], "", "")
            if _SHORTHAND.fullmatch(spec):
                spec = f"github:{spec}"
            is_local = spec.startswith(_LOCAL)
            found.append(
                Dependency(
                    "npm",
                    name,
                    path.name,
                    lines.of(written),
                    version=spec if re.fullmatch(r"\d+\.\d+\.\d+[\w.+-]*", spec) else None,
                    groups=groups,
                    repository=github_repository(spec)
                    if is_local
                    else installed_repository(path.parent, written),
                    local=without_password(spec) if is_local else "",
                )
            )
    return found


def installed_repository(folder: Path, name: str) -> str | None:
    """The repository that an installed package names in its package.json; None where it is not there."""
    path = folder / "node_modules" / name / "package.json"
    try:
        said = json.loads(read_text(path)) if path.is_file() else {}
    except (InputError, ValueError, RecursionError):  # not a file that anybody asked about
        return None
    found = said.get("repository") if isinstance(said, dict) else None
    url = found.get("url") if isinstance(found, dict) else found
    if not isinstance(url, str):
        return None
    return github_repository(f"github:{url}" if _SHORTHAND.fullmatch(url) else url)
