"""Reads pyproject.toml: PEP 621 with extras, PEP 735 groups, and the tables of uv, pdm, hatch and poetry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import index_host
from advisor.answers.dependencies.python_requirement import parse_requirement
from advisor.answers.dependencies.setup_cfg import read_files, read_setup_cfg
from advisor.answers.dependencies.text import Lines, is_inside, parse_toml, read_text
from advisor.errors import InputError


class DynamicDependencies(InputError):
    """The dependencies of a project are computed when it is built, and no file says what they are."""


def read_pyproject(path: Path, text: str) -> list[Dependency]:
    """Return the dependencies of a project, with those of its extras and groups.

    Raises:
        InputError: the file is malformed.
        DynamicDependencies: it names none, because a program computes them.
    """
    content, lines = parse_toml(path, text), Lines(text)
    try:
        dependencies = [*_standard(path, content, lines), *_poetry(path, content, lines)]
        dependencies += _dynamic(path, content)
        is_dynamic = "dependencies" in content.get("project", {}).get("dynamic", [])
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a pyproject.toml of PEP 621, PEP 735 or poetry ({error})") from None
    if is_dynamic and not dependencies:
        raise DynamicDependencies(
            f"{path}: its dependencies are dynamic: name the file that has them, for example requirements.in"
        )
    return dependencies


_SETUP_KEYS = re.compile(r"\b(?:install_requires|extras_require|tests_require)\b")


def read_script(path: Path, text: str) -> list[Dependency]:
    """Return the dependencies in the metadata of a Python script (PEP 723); none if it has no such block.

    Raises:
        InputError: the block is malformed, or there are two.
    """
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line == "# /// script"]
    if not starts and path.name == "setup.py" and _SETUP_KEYS.search(text):
        raise InputError(
            f"{path}: a setup.py is a program, which advisor never runs: name a file of its packages, "
            "for example setup.cfg, pyproject.toml, requirements.txt or a lock file"
        )
    if not starts:
        return []
    end = starts[0]
    ends = []
    while (end := end + 1) < len(lines) and (lines[end] == "#" or lines[end].startswith("# ")):
        if lines[end] == "# ///":
            ends.append(end)
    if not ends or any(start > ends[-1] for start in starts):
        problem = "two blocks" if ends else "no end `# ///` of the block"
        raise InputError(f"{path}:{starts[-1] + 1}: {problem} `# /// script`")
    block = "\n".join(line[2:] for line in lines[starts[0] + 1 : ends[-1]])
    content = parse_toml(path, block)
    try:
        project = {"dependencies": content.get("dependencies", [])}
        entries = list(_standard(path, {"project": project, "tool": content.get("tool", {})}, Lines(block)))
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not a script of PEP 723 ({error})") from None
    return [replace(d, line=d.line + starts[0] + 1) for d in entries]


def _standard(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    project = content.get("project", {})
    tool = content.get("tool", {})
    own = canonicalize_name(project.get("name", ""))
    parts: list[tuple[tuple[str, ...], list[str]]] = [((), project.get("dependencies", []))]
    parts += [((extra,), texts) for extra, texts in project.get("optional-dependencies", {}).items()]
    groups = _Groups(path, content.get("dependency-groups", {}))
    parts += [((name,), groups.resolve(name)) for name in groups.tables]
    parts += _tool_groups(tool)
    # a thousand groups that include each other repeat a requirement a thousand times
    groups_by_text: dict[str, list[tuple[str, ...]]] = {}
    for group, texts in parts:
        for text in texts:
            groups_by_text.setdefault(text, []).append(group)
    uv = tool.get("uv", {})
    sources: dict[str, Any] = {
        canonicalize_name(name): source for name, source in uv.get("sources", {}).items()
    }
    indexes = {str(entry.get("name")): str(entry.get("url", "")) for entry in uv.get("index", [])}
    for text, of_text in groups_by_text.items():
        names = () if () in of_text else tuple(dict.fromkeys(name for group in of_text for name in group))
        dependency = parse_requirement(_EDITABLE.sub("", text), path.name, 1, groups=names)
        if dependency.name != own:  # an extra may refer to other extras of the project itself
            dependency = _with_source(dependency, sources.get(dependency.name), indexes)
            yield _with_line(dependency, lines)


_EDITABLE = re.compile(r"^\s*-e\s+")  # in the groups of pdm


def _tool_groups(tool: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the development groups of uv and pdm, and the environments of hatch."""
    yield ("dev",), tool.get("uv", {}).get("dev-dependencies", [])
    for name, texts in tool.get("pdm", {}).get("dev-dependencies", {}).items():
        yield (name,), texts
    for name, environment in tool.get("hatch", {}).get("envs", {}).items():
        for key in ("dependencies", "extra-dependencies"):
            texts = environment.get(key, [])
            yield (name,), [text for text in texts if not _CONTEXT.search(text)]


_CONTEXT = re.compile(r"\{\w+(?::[^}]*)?\}")  # hatch: {root:uri}


def _dynamic(path: Path, content: Mapping[str, Any]) -> Iterator[Dependency]:
    """Yield the dependencies in the files that setuptools or hatch-requirements-txt read."""
    dynamic = content.get("project", {}).get("dynamic", [])
    tool = content.get("tool", {})
    table = tool.get("setuptools", {}).get("dynamic", {})
    hook = tool.get("hatch", {}).get("metadata", {}).get("hooks", {}).get("requirements_txt", {})
    if "dependencies" in dynamic:
        names = [*_as_list(table.get("dependencies", {}).get("file")), *_as_list(hook.get("files"))]
        yield from read_files(path, names, ())
        if not names and (setup := path.parent / "setup.cfg").is_file() and is_inside(setup, [path.parent]):
            yield from read_setup_cfg(setup, read_text(setup))
    if "optional-dependencies" in dynamic:
        extras = {**table.get("optional-dependencies", {}), **hook.get("optional-dependencies", {})}
        for extra, entry in extras.items():
            names = _as_list(entry.get("file") if isinstance(entry, dict) else entry)
            yield from read_files(path, names, (extra,))


def _as_list(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)] if value else []


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
