"""Reads package-lock.json, npm-shrinkwrap.json and pnpm-lock.yaml: all packages with exact versions.

Sources: docs.npmjs.com, "package-lock.json" (``lockfileVersion`` 1 to 3); github.com/pnpm/spec, "lockfile"
(5 to 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.graph import Groups, trace
from advisor.answers.dependencies.indexes import index_host
from advisor.answers.dependencies.npm import check_name, find_roots, installed_repository
from advisor.answers.dependencies.text import Lines, parse_json, parse_yaml, shorten
from advisor.errors import InputError
from advisor.texts import replace_controls

_VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
_FOLDER = "node_modules/"
_FLAGS = ("dev", "optional", "peer")
_REQUIREMENTS = ("dependencies", "optionalDependencies", "peerDependencies")


class Entry(NamedTuple):
    """A package of a lock file.

    Attributes:
        version: or the address that it comes from instead of a registry.
        registry: address of its archive in a registry; empty: the configured registry.
        deprecation: why its authors advise against the version; empty: they do not; None: the lock does not
            say it.
    """

    name: str
    version: str
    registry: str = ""
    groups: Groups = ()
    requires: tuple[str, ...] = ()
    deprecation: str | None = None


def read_npm_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a lock file of npm without the project itself and its workspaces.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_json(path, text)
    try:
        if "packages" not in content:
            return build_dependencies(path, text, _npm_1_entries(content), {})
        packages = content["packages"]
        own = [entry for place, entry in packages.items() if _FOLDER not in place]
        roots = merge_roots(map(find_roots, own))
        return build_dependencies(path, text, _npm_entries(packages), roots)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a lock file of npm or pnpm ({error})") from None


def read_pnpm_lock(path: Path, text: str) -> list[Dependency]:
    """Return the packages of a lock file of pnpm; of two documents the last, the first is pnpm's own.

    Raises:
        InputError: the file is malformed.
    """
    content = parse_yaml(path, text)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping")
    try:
        entries = list(_pnpm_entries(content))
        projects = content.get("importers") or {".": content}
        roots = merge_roots(map(find_roots, projects.values()))
        says_groups = any(entry.groups for entry in entries)  # versions 6 and earlier
        return build_dependencies(path, text, entries, roots, sets_groups=not says_groups)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a lock file of npm or pnpm ({error})") from None


def merge_roots(tables: Iterable[Mapping[str, Groups]]) -> dict[str, Groups]:
    """Return what the projects of a workspace require → groups; one that needs it always decides."""
    roots: dict[str, Groups] = {}
    for table in tables:
        for name, groups in table.items():
            earlier = roots.get(name, groups)
            roots[name] = tuple(dict.fromkeys((*earlier, *groups))) if groups and earlier else ()
    return roots


def build_dependencies(
    path: Path,
    text: str,
    entries: Iterable[Entry],
    roots: Mapping[str, Groups],
    *,
    sets_groups: bool = False,
) -> list[Dependency]:
    """Return the dependencies of a lock's entries, with the path to each if the roots are known.

    Raises:
        InputError: npm allows no such name.
    """
    lines = Lines(text)
    dependencies = [_dependency(path, lines, entry) for entry in entries]
    return trace(dependencies, roots, sets_groups=sets_groups) if roots else dependencies


def _npm_entries(packages: Mapping[str, Mapping[str, Any]]) -> Iterator[Entry]:
    for place, entry in packages.items():
        if _FOLDER in place and not entry.get("link"):
            name = entry.get("name") or place.rpartition(_FOLDER)[2]
            url = str(entry.get("resolved", ""))
            is_address = url.startswith(("git", "file:"))
            version = url if is_address else str(entry.get("version", ""))
            requires = _requires(entry, _REQUIREMENTS)
            yield Entry(name, version, url, _groups(entry), requires, _deprecation(entry))


def _npm_1_entries(content: Mapping[str, Any]) -> Iterator[Entry]:
    for key, entry in content.get("dependencies", {}).items():
        name, version = key, str(entry.get("version", ""))
        if version.startswith("npm:"):  # an alias
            name, version = version[4:].rsplit("@", 1)
        url = str(entry.get("resolved") or "")
        yield Entry(name, version, url, _groups(entry), _requires(entry, ("requires",)))
        yield from _npm_1_entries(entry)


def _pnpm_entries(content: Mapping[str, Any]) -> Iterator[Entry]:
    is_old = float(str(content["lockfileVersion"]).partition("-")[0]) < 6  # version of the format
    snapshots: dict[str, list[str]] = {}
    for key, entry in (content.get("snapshots") or {}).items():
        snapshots.setdefault(re.sub(r"\(.*", "", key), []).extend(_requires(entry or {}, _REQUIREMENTS))
    for key, entry in (content.get("packages") or {}).items():
        name, version = entry.get("name"), entry.get("version")
        plain = re.sub(r"\(.*", "", key.removeprefix("/"))  # without the peer dependencies
        if not (name and version):
            name, _, version = plain.rpartition("/") if is_old else _split_key(plain)
            version = version.partition("_")[0] if is_old else version
        resolution = entry.get("resolution") or {}
        address = resolution.get("tarball") or resolution.get("repo")
        is_address = address and not resolution.get("integrity")
        requires = tuple(snapshots.get(plain, ())) or _requires(entry, _REQUIREMENTS)
        registry = str(resolution.get("tarball") or "")
        yield Entry(
            name, str(address if is_address else version), registry, _groups(entry), requires,
            _deprecation(entry),
        )  # fmt: skip


def _deprecation(entry: Mapping[str, Any]) -> str:
    """Return the message of a deprecated version in a line; an author may leave it empty."""
    message = entry.get("deprecated")
    if not message or not isinstance(message, str | bool):
        return ""
    words = " ".join(str(message).split()) if isinstance(message, str) else ""
    return shorten(replace_controls(words)) or "without a reason"


def _split_key(key: str) -> tuple[str, str, str]:
    at = key.index("@", 1)
    return key[:at], "@", key[at + 1 :]


def _groups(entry: Mapping[str, Any]) -> Groups:
    groups = tuple(kind for kind in _FLAGS if entry.get(kind))
    return groups or (("dev", "optional") if entry.get("devOptional") else ())


def _requires(entry: Mapping[str, Any], tables: Iterable[str]) -> tuple[str, ...]:
    names = [entry.get(table) for table in tables]
    return tuple(dict.fromkeys(name for table in names if isinstance(table, dict) for name in table))


def _dependency(path: Path, lines: Lines, entry: Entry) -> Dependency:
    name, version = entry.name, entry.version
    check_name(path, name)
    keys = (f"{_FOLDER}{name}", f"{name}@{version}", f"{name}/{version}", f"{name}@", f"{name}@npm", name)
    is_plain = bool(_VERSION.fullmatch(version))
    claim = installed_repository(path.parent, name) if is_plain else None
    return Dependency(
        "npm",
        name,
        path.name,
        next((line for line in map(lines.find, keys) if line > 1), 1),
        version=version if is_plain else None,
        groups=entry.groups,
        repository=claim if is_plain else github_repository(version),
        local="" if is_plain else remove_credentials(version),
        index=index_host(entry.registry) if is_plain and entry.registry else "",
        is_claim=claim is not None,
        parents=None,
        requires=entry.requires,
        deprecation=entry.deprecation,
    )
