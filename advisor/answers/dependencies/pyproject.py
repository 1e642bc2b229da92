"""pyproject.toml: PEP 621 and its extras, PEP 735 groups, poetry's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.python_requirement import requirement, without_password
from advisor.answers.dependencies.text import Lines, parse_toml, read_text
from advisor.errors import InputError


def read(path: Path) -> list[Dependency]:
    """What the project asks for: always, by an extra, by a group.

    Raises:
        InputError: the file is wrong.
    """
    text = read_text(path)
    content, lines = parse_toml(path, text), Lines(text)
    try:
        return [*_standard(path, content, lines), *_poetry(path, content, lines)]
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: it is not as PEP 621, PEP 735 or poetry write it ({error})") from None


def _standard(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    project = content.get("project", {})
    own = canonicalize_name(project.get("name", ""))
    parts: list[tuple[tuple[str, ...], list[str]]] = [((), project.get("dependencies", []))]
    parts += [((extra,), texts) for extra, texts in project.get("optional-dependencies", {}).items()]
    groups = content.get("dependency-groups", {})
    parts += [((name,), _of_group(path, name, groups, ())) for name in groups]
    for group, texts in parts:
        for text in texts:
            found = requirement(text, path.name, 1, groups=group)
            if found.name != own:  # an extra may be made of other extras of the project itself
                yield _at(found, lines)


def _of_group(path: Path, name: str, groups: Mapping[str, Any], inside: tuple[str, ...]) -> list[str]:
    """The requirements of a PEP 735 group with those of the groups that it includes."""
    known = {canonicalize_name(n): n for n in groups}
    key = canonicalize_name(name)
    if key not in known or key in inside:
        what = "includes itself" if key in inside else "does not exist"
        raise InputError(f"{path}: dependency-groups: {name!r} {what}")
    found: list[str] = []
    for entry in groups[known[key]]:
        if isinstance(entry, str):
            found.append(entry)
        else:
            found += _of_group(path, entry["include-group"], groups, (*inside, key))
    return found


def _poetry(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    poetry = content.get("tool", {}).get("poetry", {})
    parts: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), poetry.get("dependencies", {}))]
    parts.append((("dev",), poetry.get("dev-dependencies", {})))
    parts += [((name,), g.get("dependencies", {})) for name, g in poetry.get("group", {}).items()]
    for group, entries in parts:
        for name, entry in entries.items():
            if name.lower() == "python":
                continue
            several = entry if isinstance(entry, list) else [entry]
            wanted = next((e for e in several if isinstance(e, dict)), {})
            place = str(wanted.get("git") or wanted.get("url") or wanted.get("path") or "")
            version = several[0] if isinstance(several[0], str) else wanted.get("version", "")
            yield Dependency(
                "pypi",
                canonicalize_name(name),
                path.name,
                lines.of(name),
                version=version.lstrip("=").strip() if version.startswith("=") else None,
                groups=(*group, "optional") if wanted.get("optional") else group,
                marker=str(wanted.get("markers", "")),
                repository=github_repository(place),
                local=without_password(place),
            )


def _at(found: Dependency, lines: Lines) -> Dependency:
    from dataclasses import replace

    spelt = (found.name, found.name.replace("-", "_"), found.name.replace("-", "."))
    return replace(found, line=max(lines.of(name) for name in spelt))
