"""uv.lock, poetry.lock and pylock.toml (PEP 751): everything that is installed, in exact versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import without_password
from advisor.answers.dependencies.text import Lines, parse_toml, read_text
from advisor.errors import InputError

_OWN = ("editable", "virtual")
_PLACES = ("git", "url", "directory", "path")


def read(path: Path) -> list[Dependency]:
    """What the lock holds; the project itself and its neighbours in a workspace are left out.

    Raises:
        InputError: the file is wrong.
    """
    text = read_text(path)
    content, lines = parse_toml(path, text), Lines(text)
    try:
        entries = content.get("package", content.get("packages", []))
        return [d for e in entries if (d := _package(path, e, lines)) is not None]
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: it is not as uv, poetry or PEP 751 write a lock ({error})") from None


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
        lines.of(entry["name"]),
        version=entry.get("version"),
        groups=tuple(groups) if groups and "main" not in groups else (),
        marker=str(entry.get("marker") or ""),
        repository=github_repository(place),
        local=without_password(place),
    )


def _place(entry: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Where it comes from if not from an index: by uv, poetry or PEP 751."""
    if source.get("type") == "legacy":  # what poetry calls an index beside PyPI
        return ""
    for kind in _PLACES:
        if source.get(kind):
            return str(source[kind])
    direct = entry.get("vcs") or entry.get("archive") or entry.get("directory") or {}
    return str(direct.get("url") or direct.get("path") or "")
