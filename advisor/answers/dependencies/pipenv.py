"""Reads Pipfile and Pipfile.lock of pipenv.

Source: pipenv.pypa.io, "Pipfile & Pipfile.lock" and "Package Categories".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import index_host, pick_index
from advisor.answers.dependencies.text import Lines, parse_json, parse_toml
from advisor.errors import InputError

_GROUPS = {"packages": (), "default": (), "dev-packages": ("dev",), "develop": ("dev",)}
_TABLES = frozenset({"source", "requires", "scripts", "pipenv", "pipfile", "_meta"})  # no packages
_PLACES = ("git", "path", "file", "url", "hg", "svn", "bzr")


def read_pipfile(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a Pipfile, each category but ``packages`` as a group.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_toml(path, text)
    return _read(path, text, content, content.get("source", []), is_lock=False)


def read_pipfile_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a Pipfile.lock with exact versions.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_json(path, text)
    meta = content.get("_meta")
    sources = meta.get("sources", []) if isinstance(meta, dict) else []
    return _read(path, text, content, sources, is_lock=True)


def _read(
    path: Path, text: str, content: Mapping[str, Any], sources: Any, *, is_lock: bool
) -> list[Dependency]:
    try:
        indexes = {str(source.get("name")): str(source["url"]) for source in sources}
        return list(_dependencies(path, Lines(text), content, indexes, is_lock=is_lock))
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a {'Pipfile.lock' if is_lock else 'Pipfile'} ({error})") from None


def _dependencies(
    path: Path, lines: Lines, content: Mapping[str, Any], indexes: Mapping[str, str], *, is_lock: bool
) -> Iterator[Dependency]:
    default = pick_index("pypi", indexes.values())
    for category, table in content.items():
        if category in _TABLES:
            continue
        for name, spec in table.items():
            entry = {"version": spec} if isinstance(spec, str) else spec
            place = next((str(entry[kind]) for kind in _PLACES if entry.get(kind)), "")
            version = str(entry.get("version") or "")
            address = indexes.get(str(entry.get("index")), "")
            index = index_host(address) if address else default
            yield Dependency(
                "pypi",
                canonicalize_name(name),
                path.name,
                lines.find_key(name),
                version=version.lstrip("=").strip()
                if version.startswith("==") and "*" not in version
                else None,
                groups=_GROUPS.get(category, (category,)),
                marker=str(entry.get("markers") or ""),
                repository=github_repository(place),
                local=remove_credentials(place),
                index="" if place else index,
                parents=None if is_lock else (),
            )
