"""Reads the registries that the settings of npm, pnpm, Yarn and Bun name; tokens in them are ignored.

Sources: docs.npmjs.com, "npmrc" and "scope"; pnpm.io, "Settings (pnpm-workspace.yaml)"; yarnpkg.com,
"Configuration" (``npmRegistryServer``, ``npmScopes``), and classic.yarnpkg.com, "yarnrc"; bun.com,
"bunfig.toml".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.answers.dependencies.text import parse_toml, parse_yaml, read_text
from advisor.errors import InputError


@dataclass(frozen=True)
class Registries:
    """Addresses of registries.

    Attributes:
        default: those for packages whose scope has none.
        scopes: scope (``@acme``) → address.
    """

    default: tuple[str, ...] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)

    def join(self, farther: Registries) -> Registries:
        """Return these together with those of a folder farther away; a scope here comes first."""
        return Registries((*self.default, *farther.default), {**farther.scopes, **self.scopes})


def read_registries(folder: Path) -> Registries:
    """Return the registries that the files of a folder name. A file that cannot be read has no effect."""
    registries = read_npmrc(folder / ".npmrc")
    for other in (
        _read_yarn_1(read_optional(folder / ".yarnrc")),
        _read_yarn(_read_yaml(folder / ".yarnrc.yml")),
        _read_pnpm(_read_yaml(folder / "pnpm-workspace.yaml")),
        _read_bun(_read_toml(folder / "bunfig.toml")),
        _read_bun(_read_toml(folder / ".bunfig.toml")),
    ):
        registries = registries.join(other)
    return registries


def read_variables(variables: Mapping[str, str]) -> Registries:
    """Return the registries that variables name; the names of variables are in lower case."""
    names = ("npm_config_registry", "pnpm_config_registry", "yarn_registry", "yarn_npm_registry_server",
             "bun_config_registry")  # fmt: skip
    scopes = {
        match[1]: value
        for name, value in variables.items()
        if (match := re.fullmatch(r"p?npm_config_(@.+):registry", name))
    }
    return Registries(tuple(variables[name] for name in names if name in variables), scopes)


def read_npmrc(path: Path) -> Registries:
    """Return the registries that a .npmrc names."""
    return Registries(*_split(_pairs(read_optional(path), "=")))


def read_optional(path: Path) -> str:
    """Return the text of a file; empty if there is none or it cannot be read."""
    try:
        return read_text(path)
    except InputError:
        return ""


def _read_yarn_1(text: str) -> Registries:
    """Read the lines of Yarn 1: ``registry "https://…"`` and ``"@acme:registry" "https://…"``."""
    return Registries(*_split(_pairs(text, " ")))


def _pairs(text: str, separator: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, value = line.strip().partition(separator)
        yield key.strip().strip("\"'"), value.strip().strip("\"'")


def _split(pairs: Iterator[tuple[str, str]]) -> tuple[tuple[str, ...], dict[str, str]]:
    default, scopes = [], {}
    for key, value in pairs:
        if key == "registry":
            default.append(value)
        elif key.startswith("@") and key.endswith(":registry"):
            scopes[key.removesuffix(":registry")] = value
    return tuple(default), scopes


def _read_yarn(content: Mapping[str, Any]) -> Registries:
    scopes = {
        f"@{str(name).removeprefix('@')}": str(entry["npmRegistryServer"])
        for name, entry in _table(content, "npmScopes").items()
        if isinstance(entry, dict) and entry.get("npmRegistryServer")
    }
    return Registries(_texts(content.get("npmRegistryServer")), scopes)


def _read_pnpm(content: Mapping[str, Any]) -> Registries:
    table = _table(content, "registries")
    scopes = {str(name): str(address) for name, address in table.items() if str(name).startswith("@")}
    return Registries((*_texts(content.get("registry")), *_texts(table.get("default"))), scopes)


def _read_bun(content: Mapping[str, Any]) -> Registries:
    install = _table(content, "install")
    scopes = {
        f"@{name.removeprefix('@')}": address
        for name, entry in _table(install, "scopes").items()
        for address in _texts(entry)
    }
    return Registries(_texts(install.get("registry")), scopes)


def _texts(value: object) -> tuple[str, ...]:
    """Return the address in a text, or in a table with its token."""
    address = value.get("url") if isinstance(value, dict) else value
    return (address,) if isinstance(address, str) and address else ()


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _read_yaml(path: Path) -> Mapping[str, Any]:
    text = read_optional(path)
    try:
        content = parse_yaml(path, text) if text else {}
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def _read_toml(path: Path) -> Mapping[str, Any]:
    text = read_optional(path)
    try:
        return parse_toml(path, text) if text else {}
    except InputError:
        return {}
