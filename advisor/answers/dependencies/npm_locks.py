"""Reads package-lock.json, npm-shrinkwrap.json and pnpm-lock.yaml: all packages with exact versions.

Sources: docs.npmjs.com, "package-lock.json" (``lockfileVersion`` 1 to 3); github.com/pnpm/spec, "lockfile"
(5 to 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import index_host
from advisor.answers.dependencies.npm import check_name, installed_repository
from advisor.answers.dependencies.text import Lines, parse_json, read_text
from advisor.errors import InputError

_VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
_FOLDER = "node_modules/"


def read_lock(path: Path) -> list[Dependency]:
    """Return the packages of a lock file without the project itself and the others of its workspace.

    Raises:
        InputError: the file is malformed.
    """
    text = read_text(path)
    lines = Lines(text)
    try:
        if path.suffix == ".json":
            content = parse_json(path, text)
            entries = _npm_entries(content["packages"]) if "packages" in content else _npm_1_entries(content)
        else:
            entries = _pnpm_entries(_parse_yaml(path, text))
        return [_dependency(path, lines, *entry) for entry in entries]
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a lock file of npm or pnpm ({error})") from None


_Entry = tuple[str, str, Mapping[str, Any]]  # name, version or URL, entry of the lock file


def _npm_entries(packages: Mapping[str, Mapping[str, Any]]) -> Iterator[_Entry]:
    for place, entry in packages.items():
        if _FOLDER in place and not entry.get("link"):
            name = entry.get("name") or place.rpartition(_FOLDER)[2]
            version = str(entry.get("version", ""))
            url = str(entry.get("resolved", ""))
            yield name, url if url.startswith(("git", "file:")) else version, entry


def _npm_1_entries(content: Mapping[str, Any]) -> Iterator[_Entry]:
    for name, entry in content.get("dependencies", {}).items():
        version = str(entry.get("version", ""))
        if version.startswith("npm:"):  # an alias
            yield *version[4:].rsplit("@", 1), entry
        else:
            yield name, version, entry
        yield from _npm_1_entries(entry)


def _pnpm_entries(content: Mapping[str, Any]) -> Iterator[_Entry]:
    is_old = float(str(content["lockfileVersion"])) < 6  # version of the format
    for key, entry in content.get("packages", {}).items():
        name, version = entry.get("name"), entry.get("version")
        if not (name and version):
            plain = re.sub(r"\(.*", "", key.removeprefix("/"))  # without the peer dependencies
            name, _, version = plain.rpartition("/") if is_old else _split_key(plain)
            version = version.partition("_")[0] if is_old else version
        address = entry.get("resolution", {}).get("tarball") or entry.get("resolution", {}).get("repo")
        yield name, address if address and not entry["resolution"].get("integrity") else version, entry


def _split_key(key: str) -> tuple[str, str, str]:
    at = key.index("@", 1)
    return key[:at], "@", key[at + 1 :]


def _parse_yaml(path: Path, text: str) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping")
    return content


def _dependency(path: Path, lines: Lines, name: str, version: str, entry: Mapping[str, Any]) -> Dependency:
    check_name(path, name)
    keys = (f"{_FOLDER}{name}", f"{name}@{version}", f"{name}/{version}", name)
    is_plain = bool(_VERSION.fullmatch(version))
    claim = installed_repository(path.parent, name) if is_plain else None
    resolution = entry.get("resolution") or {}
    address = str(entry.get("resolved") or resolution.get("tarball") or "")
    groups = [kind for kind in ("dev", "optional", "peer") if entry.get(kind)]
    return Dependency(
        "npm",
        name,
        path.name,
        next((line for line in map(lines.find, keys) if line > 1), 1),
        version=version if is_plain else None,
        groups=tuple(groups or (("dev", "optional") if entry.get("devOptional") else ())),
        repository=claim if is_plain else github_repository(version),
        local="" if is_plain else remove_credentials(version),
        index=index_host(address) if is_plain and address else "",
        is_claim=claim is not None,
    )
