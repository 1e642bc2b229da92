"""Which file is of which kind, and what all of them together ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from advisor.answers.dependencies import (
    Dependency,
    conda,
    locks,
    npm,
    npm_locks,
    pyproject,
    requirements_txt,
    sbom,
)
from advisor.answers.dependencies.text import parse_json, read_text
from advisor.errors import InputError

_BY_NAME: tuple[tuple[str, Callable[[Path], list[Dependency]]], ...] = (
    (r"pyproject.*\.toml", pyproject.read),
    (r"(?:uv|poetry)\.lock|pylock(?:\..+)?\.toml", locks.read),
    (r"package\.json", npm.read),
    (r"(?:package-lock|npm-shrinkwrap)\.json|pnpm-lock\.ya?ml", npm_locks.read),
    (r".*\.ya?ml", conda.read),
    (r".*\.(?:txt|in)", requirements_txt.read),
)
KINDS = (
    "requirements.txt, pyproject.toml, uv.lock, poetry.lock, pylock.toml, environment.yml, package.json, "
    "package-lock.json, pnpm-lock.yaml, SBOM"
)


def read(paths: Iterable[Path]) -> list[Dependency]:
    """What these files ask for, each package once, in the order in which they name it.

    Raises:
        InputError: a file cannot be read, is wrong, is of no known kind, or none asks for anything.
    """
    found: dict[tuple[str, str], Dependency] = {}
    shown = []
    for path in paths:
        shown.append(str(path))
        for dependency in _reader(path)(path):
            at = replace(dependency, file=(path.parent / dependency.file).as_posix())
            key = (at.ecosystem, at.name)
            found[key] = _joined(found[key], at) if key in found else at
    if not found:
        raise InputError(f"{', '.join(shown)}: nothing in it asks for a package")
    return list(found.values())


def _reader(path: Path) -> Callable[[Path], list[Dependency]]:
    for pattern, read_it in _BY_NAME:
        if re.fullmatch(pattern, path.name, re.IGNORECASE):
            return read_it
    if path.suffix == ".json":
        content = parse_json(path, read_text(path))
        if sbom.is_sbom(content):
            return sbom.read
        if "dependencies" in content or "devDependencies" in content:
            return npm.read
    raise InputError(f"{path} is of no kind that is known: {KINDS} (CycloneDX or SPDX, as JSON)")


def _joined(first: Dependency, other: Dependency) -> Dependency:
    """One package, named twice: needed by all if once by all, and what either knows of it."""
    is_free = not first.groups or not other.groups
    return replace(
        first,
        version=first.version or other.version,
        groups=() if is_free else tuple(dict.fromkeys(first.groups + other.groups)),
        marker=first.marker if first.marker == other.marker else "",
        repository=first.repository or other.repository,
    )
