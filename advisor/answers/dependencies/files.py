"""Reads dependencies from files of all supported kinds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from advisor.addresses import remove_credentials
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
from advisor.answers.dependencies.indexes import is_public, read_project_settings
from advisor.answers.dependencies.text import is_inside, parse_json, read_text
from advisor.errors import InputError, describe_read_error

_READERS: tuple[tuple[str, Callable[[Path], list[Dependency]]], ...] = (
    (r"pyproject.*\.toml", pyproject.read_pyproject),
    (r"(?:uv|poetry)\.lock|pylock(?:\..+)?\.toml", locks.read_lock),
    (r"package\.json", npm.read_package_json),
    (r"(?:package-lock|npm-shrinkwrap)\.json|pnpm-lock\.ya?ml", npm_locks.read_lock),
    (r".*\.ya?ml", conda.read_environment),
)
MESSAGE_LIMIT = 2000
"""Most characters in the message about a file."""
KINDS = (
    "requirements.txt, pyproject.toml, uv.lock, poetry.lock, pylock.toml, environment.yml, package.json, "
    "package-lock.json, pnpm-lock.yaml, SBOM"
)


def read_dependencies(paths: Iterable[Path], include_folders: Sequence[Path] = ()) -> list[Dependency]:
    """Return the packages that these files name, each once, in the order of the files.

    Args:
        paths: the files.
        include_folders: folders besides that of a file whose files it may include or link to.

    Raises:
        InputError: a file cannot be read, is malformed or of an unsupported kind, or no file names a package.
            The message has no user, password, query or fragment of an address.
    """
    entries: dict[tuple[str, str], list[Dependency]] = {}
    names = []
    for path in paths:
        names.append(str(path))
        for entry in read_file(path, include_folders):
            dependency = replace(entry, file=(path.parent / entry.file).as_posix())
            entries.setdefault((dependency.ecosystem, dependency.name), []).append(dependency)
    if not entries:
        raise InputError(f"{', '.join(names)}: no package in it")
    return list(map(_merge, entries.values()))


def read_file(path: Path, include_folders: Sequence[Path] = ()) -> list[Dependency]:
    """Return the packages of a file with their indexes, without secrets; none if it names none.

    Raises:
        InputError: as `read_dependencies`.
    """
    try:
        _check_place(path, include_folders)
        dependencies = _reader(path, include_folders)(path)
    except InputError as error:
        message = remove_credentials(str(error))
        if len(message) > MESSAGE_LIMIT:
            message = f"{message[:MESSAGE_LIMIT]}…"
        raise InputError(message) from None
    except OSError as error:
        raise InputError(describe_read_error(path, error)) from None
    except RecursionError:
        raise InputError(f"{path}: it is nested too deeply") from None
    settings = read_project_settings(path.parent)
    return [settings.apply(_remove_secrets(dependency)) for dependency in dependencies]


def _check_place(path: Path, include_folders: Sequence[Path]) -> None:
    if not is_inside(path, (path.parent, *include_folders)):
        raise InputError(f"{path} is a link to another folder: allow that folder with --include")


def _remove_secrets(dependency: Dependency) -> Dependency:
    """Return the dependency without credentials, whatever field the file has them in."""
    version = dependency.version
    return replace(
        dependency,
        name=remove_credentials(dependency.name),
        version=None if version is None else remove_credentials(version),
        marker=remove_credentials(dependency.marker),
        local=remove_credentials(dependency.local),
        groups=tuple(map(remove_credentials, dependency.groups)),
    )


def _reader(path: Path, include_folders: Sequence[Path]) -> Callable[[Path], list[Dependency]]:
    if path.suffix.lower() in {".txt", ".in"}:
        return partial(requirements_txt.read_requirements, include_folders=include_folders)
    for pattern, reader in _READERS:
        if re.fullmatch(pattern, path.name, re.IGNORECASE):
            return reader
    if path.suffix == ".json":
        content = parse_json(path, read_text(path))
        if sbom.is_sbom(content):
            return sbom.read_sbom
        if "dependencies" in content or "devDependencies" in content:
            return npm.read_package_json
    with path.open("rb"):  # a file that is missing, or a folder, has that error instead
        raise InputError(f"{path} is not of a supported kind: {KINDS} (CycloneDX or SPDX, as JSON)")


def _merge(entries: Sequence[Dependency]) -> Dependency:
    """Merge all entries of one package; it is always needed or private if one of them is."""
    first = entries[0]
    is_always_needed = any(not e.groups for e in entries)
    source = next((e for e in entries if e.repository and not e.is_claim), None)
    source = source or next((e for e in entries if e.repository), first)
    private = next((e for e in entries if not is_public(e)), first)
    return replace(
        first,
        version=next((e.version for e in entries if e.version), None),
        groups=() if is_always_needed else tuple(dict.fromkeys(g for e in entries for g in e.groups)),
        marker=first.marker if all(e.marker == first.marker for e in entries) else "",
        repository=source.repository,
        is_claim=source.is_claim,
        local=private.local,
        index=private.index,
    )
