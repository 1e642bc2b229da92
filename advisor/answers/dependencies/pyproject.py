"""Reads pyproject.toml: PEP 621 with extras, PEP 735 groups, and the tables of poetry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import index_host
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.answers.dependencies.text import Lines, parse_toml, read_text
from advisor.errors import InputError


def read_pyproject(path: Path) -> list[Dependency]:
    """Return the dependencies of a project, with those of its extras and groups.

    Raises:
        InputError: the file is malformed.
    """
    text = read_text(path)
    content, lines = parse_toml(path, text), Lines(text)
    try:
        return [*_standard(path, content, lines), *_poetry(path, content, lines)]
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a pyproject.toml of PEP 621, PEP 735 or poetry ({error})") from None


def _standard(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    project = content.get("project", {})
    own = canonicalize_name(project.get("name", ""))
    parts: list[tuple[tuple[str, ...], list[str]]] = [((), project.get("dependencies", []))]
    parts += [((extra,), texts) for extra, texts in project.get("optional-dependencies", {}).items()]
    groups = _Groups(path, content.get("dependency-groups", {}))
    parts += [((name,), groups.resolve(name)) for name in groups.tables]
    # a thousand groups that include each other repeat a requirement a thousand times
    groups_by_text: dict[str, list[tuple[str, ...]]] = {}
    for group, texts in parts:
        for text in texts:
            groups_by_text.setdefault(text, []).append(group)
    uv = content.get("tool", {}).get("uv", {})
    sources: dict[str, Any] = {
        canonicalize_name(name): source for name, source in uv.get("sources", {}).items()
    }
    indexes = {str(entry.get("name")): str(entry.get("url", "")) for entry in uv.get("index", [])}
    for text, of_text in groups_by_text.items():
        names = () if () in of_text else tuple(dict.fromkeys(name for group in of_text for name in group))
        dependency = parse_requirement(text, path.name, 1, groups=names)
        if dependency.name != own:  # an extra may refer to other extras of the project itself
            dependency = _with_source(dependency, sources.get(dependency.name), indexes)
            yield _with_line(dependency, lines)


def _with_source(dependency: Dependency, source: Any, indexes: Mapping[str, str]) -> Dependency:
    """Return the dependency with what ``tool.uv.sources`` says; several may differ by marker."""
    for entry in source if isinstance(source, list) else [source] if source else []:
        place = str(entry.get("git") or entry.get("url") or entry.get("path") or "")
        if entry.get("workspace"):
            return replace(dependency, local="the workspace of the project", repository=None)
        if place:
            repository, local = github_repository(place), remove_credentials(place)
            return replace(dependency, local=local, repository=repository)
        if entry.get("index"):
            name = str(entry["index"])
            dependency = replace(dependency, index=index_host(indexes.get(name, "")))
    return dependency


class _Groups:
    """The dependency groups of PEP 735; each is resolved once, because 25 groups can include 2²⁵ others."""

    def __init__(self, path: Path, tables: Mapping[str, Any]) -> None:
        self._path, self.tables = path, tables
        self._names = {str(canonicalize_name(name)): name for name in tables}
        self._requirements: dict[str, list[str]] = {}

    def resolve(self, name: str, parents: tuple[str, ...] = ()) -> list[str]:
        """Return the requirements of a group and of the groups that it includes, each once."""
        key = canonicalize_name(name)
        if key not in self._names or key in parents:
            problem = "includes itself" if key in parents else "does not exist"
            raise InputError(f"{self._path}: dependency-groups: {name!r} {problem}")
        if key not in self._requirements:
            requirements: dict[str, None] = {}
            for entry in self.tables[self._names[key]]:
                if isinstance(entry, str):
                    requirements[entry] = None
                else:
                    requirements |= dict.fromkeys(self.resolve(entry["include-group"], (*parents, key)))
            self._requirements[key] = list(requirements)
        return self._requirements[key]


def _poetry(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    poetry = content.get("tool", {}).get("poetry", {})
    indexes = {str(entry.get("name")): str(entry.get("url", "")) for entry in poetry.get("source", [])}
    parts: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), poetry.get("dependencies", {}))]
    parts.append((("dev",), poetry.get("dev-dependencies", {})))
    parts += [((name,), g.get("dependencies", {})) for name, g in poetry.get("group", {}).items()]
    for group, entries in parts:
        for name, entry in entries.items():
            if name.lower() == "python":
                continue
            entries_of_name = entry if isinstance(entry, list) else [entry]
            table = next((e for e in entries_of_name if isinstance(e, dict)), {})
            place = str(table.get("git") or table.get("url") or table.get("path") or "")
            index = table.get("source")
            address = "https://pypi.org" if str(index).lower() == "pypi" else indexes.get(str(index), "")
            version = entries_of_name[0] if isinstance(entries_of_name[0], str) else table.get("version", "")
            yield Dependency(
                "pypi",
                canonicalize_name(name),
                path.name,
                lines.find(name),
                version=version.lstrip("=").strip() if version.startswith("=") else None,
                groups=(*group, "optional") if table.get("optional") else group,
                marker=str(table.get("markers", "")),
                repository=github_repository(place),
                local=remove_credentials(place),
                index=index_host(address) if index and not place else "",
            )


def _with_line(dependency: Dependency, lines: Lines) -> Dependency:
    name = dependency.name
    spellings = (name, name.replace("-", "_"), name.replace("-", "."))
    return replace(dependency, line=max(map(lines.find, spellings)))
