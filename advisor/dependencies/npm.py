"""package.json of npm."""

from __future__ import annotations

import re
from pathlib import Path

from advisor.addresses import github_repository
from advisor.dependencies import Dependency
from advisor.dependencies.python_requirement import without_password
from advisor.dependencies.text import Lines, parse_json, read_text
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
                    repository=github_repository(spec) if is_local else None,
                    local=without_password(spec) if is_local else "",
                )
            )
    return found
