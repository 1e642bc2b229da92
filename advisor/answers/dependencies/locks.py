"""Reads uv.lock, poetry.lock, pdm.lock and pylock.toml (PEP 751): all packages with exact versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.graph import Groups, trace
from advisor.answers.dependencies.indexes import index_host, pick_index
from advisor.answers.dependencies.text import Lines, parse_toml, split_blocks
from advisor.errors import InputError

_OWN = ("editable", "virtual")
_PLACES = ("git", "url", "directory", "path")
_ALWAYS = frozenset({"main", "default"})  # the groups of poetry and pdm that are always needed
_NAME = re.compile(r"[\w.-]+")


def read_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a lock file without the project itself and the others of its workspace.

    Raises:
        InputError: the file is malformed.
    """
    own, dependencies = [], []
    try:
        for entry, line in _read_entries(path, text):
            if _is_own(entry):
                own.append(entry)
            else:
                dependencies.append(_package(path, entry, line))
        return trace(dependencies, _find_roots(own), sets_groups=True) if own else dependencies
    except (TypeError, AttributeError, KeyError) as error:
        problem = f"not a lock file of uv, poetry, pdm or PEP 751 ({error})"
        raise InputError(f"{path}: {problem}") from None


def _read_entries(path: Path, text: str) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield each package and its line.

    It parses a block at a time: a lock of 9 MB has 40,000 wheels, which would need 40 MB at once.
    """
    has_blocks = False
    for line, block in split_blocks(text):
        has_blocks = True
        try:
            content = parse_toml(path, block)
        except InputError:
            parse_toml(path, text)  # an error has the line in the file
            raise
        (entry,) = content.get("package") or content["packages"]
        yield entry, line
    if not has_blocks:
        content, lines = parse_toml(path, text), Lines(text)
        for entry in content.get("package", content.get("packages", [])):
            yield entry, lines.find(entry["name"])


def _is_own(entry: Mapping[str, Any]) -> bool:
    return any(kind in entry.get("source", {}) for kind in _OWN)


def _find_roots(own: Sequence[Mapping[str, Any]]) -> dict[str, Groups]:
    """Return what the project and the others of its workspace require in uv.lock → groups."""
    names_by_group: dict[str | None, list[Mapping[str, Any]]] = {}
    for entry in own:
        names_by_group.setdefault(None, []).extend(entry.get("dependencies", []))
        for table in ("optional-dependencies", "dev-dependencies"):
            for group, requirements in entry.get(table, {}).items():
                names_by_group.setdefault(group, []).extend(requirements)
    roots: dict[str, Groups] = {}
    for group, requirements in names_by_group.items():
        for name in _names(requirements):
            if group is None or name not in roots:
                roots[name] = () if group is None else (group,)
            elif roots[name] and group not in roots[name]:
                roots[name] = (*roots[name], group)
    return roots


def _package(path: Path, entry: Mapping[str, Any], line: int) -> Dependency:
    source = entry.get("source", {})
    place = _place(entry, source)
    return Dependency(
        "pypi",
        canonicalize_name(entry["name"]),
        path.name,
        line,
        version=entry.get("version"),
        groups=_groups(entry),
        marker=_marker(entry),
        repository=github_repository(place),
        local=remove_credentials(place),
        index="" if place else _index(entry, source),
        parents=None,
        requires=_requires(entry, source),
        size_bytes=_size(entry),
    )


def _groups(entry: Mapping[str, Any]) -> Groups:
    """Return the groups of a package; poetry before 1.5 writes a category instead."""
    groups = tuple(entry.get("groups") or ([entry["category"]] if "category" in entry else ()))
    groups = () if _ALWAYS & set(groups) else groups
    return (*groups, "optional") if entry.get("optional") is True and "optional" not in groups else groups


def _marker(entry: Mapping[str, Any]) -> str:
    """Return the condition; poetry writes one for each group if they differ, and then none holds for all."""
    marker = entry.get("marker") or entry.get("markers") or ""
    return marker if isinstance(marker, str) else ""


def _size(entry: Mapping[str, Any]) -> int | None:
    """Return the size of the largest wheel, or of the source; uv and PEP 751 write it."""
    files = [*entry.get("wheels", [])] or [entry.get("sdist") or {}]
    sizes = [file["size"] for file in files if isinstance(file, dict) and isinstance(file.get("size"), int)]
    return max((size for size in sizes if size > 0), default=None)


def _requires(entry: Mapping[str, Any], source: Mapping[str, Any]) -> tuple[str, ...]:
    names = _names(entry.get("dependencies", []))
    if "registry" in source:  # uv writes only those extras that somebody asks for
        for requirements in entry.get("optional-dependencies", {}).values():
            names += _names(requirements)
    return tuple(dict.fromkeys(names))


def _names(requirements: Mapping[str, Any] | Iterable[Any]) -> list[str]:
    """Return the names in a list or table of requirements, as uv, poetry, pdm or PEP 751 has it."""
    names: list[str] = []
    for entry in requirements:
        name = entry.get("name", "") if isinstance(entry, Mapping) else entry
        if match := _NAME.match(str(name)):
            names.append(canonicalize_name(match[0]))
    return names


def _index(entry: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return the host of the index that the entry names: uv, poetry or PEP 751."""
    address = source.get("registry") or (
        source.get("url") if source.get("type") == "legacy" else entry.get("index")
    )
    if address:
        return index_host(str(address))
    files = [*entry.get("wheels", []), entry.get("sdist", {}), *entry.get("files", [])]
    return pick_index("pypi", [str(f["url"]) for f in files if isinstance(f, dict) and f.get("url")])


def _place(entry: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return the path or URL of a package that comes from no index: uv, poetry, pdm or PEP 751."""
    if source.get("type") == "legacy":  # in poetry: an index other than PyPI
        return ""
    for kind in _PLACES:
        if place := source.get(kind) or (not source and isinstance(entry.get(kind), str) and entry[kind]):
            return str(place)
    direct = entry.get("vcs") or entry.get("archive") or entry.get("directory") or {}
    return str(direct.get("url") or direct.get("path") or "")


def add_roots(dependencies: Sequence[Dependency], roots: Mapping[str, Groups]) -> list[Dependency]:
    """Return the packages of a lock with their paths, if the lock does not say what the project requires.

    Args:
        dependencies: packages of the lock.
        roots: names in the project's own file → groups.
    """
    if not roots or any(d.parents is not None for d in dependencies):
        return list(dependencies)
    has_own_groups = any(d.groups for d in dependencies)
    known = {d.name for d in dependencies}
    roots = {name: groups for name, groups in roots.items() if name in known}
    result = trace(dependencies, roots, sets_groups=not has_own_groups)
    return result if roots else [replace(d, parents=None) for d in dependencies]
