"""Reads uv.lock, poetry.lock and pylock.toml (PEP 751): all packages with exact versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import index_host, pick_index
from advisor.answers.dependencies.text import Lines, parse_toml, read_text
from advisor.errors import InputError

_OWN = ("editable", "virtual")
_PLACES = ("git", "url", "directory", "path")


def read_lock(path: Path) -> list[Dependency]:
    """Return the packages of a lock file without the project itself and the others of its workspace.

    Raises:
        InputError: the file is malformed.
    """
    text = read_text(path)
    content, lines = parse_toml(path, text), Lines(text)
    try:
        entries = content.get("package", content.get("packages", []))
        return [d for e in entries if (d := _package(path, e, lines)) is not None]
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a lock file of uv, poetry or PEP 751 ({error})") from None


def _package(path: Path, entry: Mapping[str, Any], lines: Lines) -> Dependency | None:
    source = entry.get("source", {})
    if any(kind in source for kind in _OWN):
        return None
    place = _place(entry, source)
    groups = entry.get("groups")
    return Dependency(
        "pypi",
        canonicalize_name(entry["name"]),
        path.name,
        lines.find(entry["name"]),
        version=entry.get("version"),
        groups=tuple(groups) if groups and "main" not in groups else (),
        marker=str(entry.get("marker") or ""),
        repository=github_repository(place),
        local=remove_credentials(place),
        index="" if place else _index(entry, source),
    )


def _index(entry: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return the host of the index that the entry names: uv, poetry or PEP 751."""
    address = source.get("registry") or (
        source.get("url") if source.get("type") == "legacy" else entry.get("index")
    )
    if address:
        return index_host(str(address))
    files = [*entry.get("wheels", []), entry.get("sdist", {})]
    return pick_index("pypi", [str(f["url"]) for f in files if isinstance(f, dict) and f.get("url")])


def _place(entry: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return the path or URL of a package that comes from no index: uv, poetry or PEP 751."""
    if source.get("type") == "legacy":  # in poetry: an index other than PyPI
        return ""
    for kind in _PLACES:
        if source.get(kind):
            return str(source[kind])
    direct = entry.get("vcs") or entry.get("archive") or entry.get("directory") or {}
    return str(direct.get("url") or direct.get("path") or "")
