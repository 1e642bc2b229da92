"""Reads dependencies from files of all supported kinds."""

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

_READERS: tuple[tuple[str, Callable[[Path], list[Dependency]]], ...] = (
    (r"pyproject.*\.toml", pyproject.read_pyproject),
    (r"(?:uv|poetry)\.lock|pylock(?:\..+)?\.toml", locks.read_lock),
    (r"package\.json", npm.read_package_json),
    (r"(?:package-lock|npm-shrinkwrap)\.json|pnpm-lock\.ya?ml", npm_locks.read_lock),
    (r".*\.ya?ml", conda.read_environment),
    (r".*\.(?:txt|in)", requirements_txt.read_requirements),
)
KINDS = (
    "requirements.txt, pyproject.toml, uv.lock, poetry.lock, pylock.toml, environment.yml, package.json, "
    "package-lock.json, pnpm-lock.yaml, SBOM"
)


def read_dependencies(paths: Iterable[Path]) -> list[Dependency]:
    """Return the packages that these files name, each once, in the order of the files.

    Raises:
        InputError: a file cannot be read, is malformed or of an unsupported kind, or no file names a package.
    """
    dependencies: dict[tuple[str, str], Dependency] = {}
    names = []
    for path in paths:
        names.append(str(path))
        for entry in _reader(path)(path):
            dependency = replace(entry, file=(path.parent / entry.file).as_posix())
            key = (dependency.ecosystem, dependency.name)
            dependencies[key] = _merge(dependencies[key], dependency) if key in dependencies else dependency
    if not dependencies:
        raise InputError(f"{', '.join(names)}: no package in it")
    return list(dependencies.values())


def _reader(path: Path) -> Callable[[Path], list[Dependency]]:
    for pattern, reader in _READERS:
        if re.fullmatch(pattern, path.name, re.IGNORECASE):
            return reader
    if path.suffix == ".json":
        content = parse_json(path, read_text(path))
        if sbom.is_sbom(content):
            return sbom.read_sbom
        if "dependencies" in content or "devDependencies" in content:
            return npm.read_package_json
    raise InputError(f"{path} is not of a supported kind: {KINDS} (CycloneDX or SPDX, as JSON)")


def _merge(first: Dependency, other: Dependency) -> Dependency:
    """Merge two entries of one package; it is always needed if one of them is."""
    is_always_needed = not first.groups or not other.groups
    return replace(
        first,
        version=first.version or other.version,
        groups=() if is_always_needed else tuple(dict.fromkeys(first.groups + other.groups)),
        marker=first.marker if first.marker == other.marker else "",
        repository=first.repository or other.repository,
    )
