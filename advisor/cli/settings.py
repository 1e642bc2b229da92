"""Defaults for the options of the commands that answer, from variables and from pyproject.toml.

An option that is typed comes first, then the variable ``ADVISOR_NAME``, then ``[tool.advisor]`` of the
nearest pyproject.toml that has this table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from advisor.errors import ConfigError, describe_unknown

OPTIONS = {
    "domain": "domain",
    "goal": "goal",
    "as-of": "as_of",
    "set": "weights",
    "rules": "rules",
    "store": "store",
    "format": "format",
}
"""The name of a setting, which is that of its option → the parameter of the commands."""

COMMANDS = frozenset({"rank", "explain", "compare", "coverage", "dashboard", "goals"})
"""The commands that settings apply to: those that answer. No setting can change where facts are written."""

_LARGEST_FILE_BYTES = 1 << 20
_BUNDLED_STORE = "bundled"


@dataclass(frozen=True)
class Setting:
    """A default and where it comes from: the name of a variable, or the path of a file."""

    value: str | tuple[str, ...]
    origin: str


_settings: ContextVar[Mapping[str, Setting]] = ContextVar("settings", default=MappingProxyType({}))


def current_settings() -> Mapping[str, Setting]:
    """Return the settings of the running command, by name."""
    return _settings.get()


def read_settings(folder: Path, environment: Mapping[str, str]) -> dict[str, Setting]:
    """Return the settings by name, in the order of `OPTIONS`.

    Args:
        folder: where to look for pyproject.toml, then its parents.
        environment: variables by name.

    Raises:
        ConfigError: the table of pyproject.toml is malformed.
    """
    settings = _read_project(folder)
    for name in OPTIONS:
        variable = f"ADVISOR_{name.upper().replace('-', '_')}"
        if text := environment.get(variable):
            values = tuple(part.strip() for part in text.split(",")) if name == "set" else text
            settings[name] = Setting(values, variable)
    return {name: settings[name] for name in OPTIONS if name in settings}


def apply_settings(command: str, parameters: Iterable[Any]) -> dict[str, Any]:
    """Return the defaults of a command's parameters, and remember the settings while it runs.

    Raises:
        ConfigError: the table of pyproject.toml is malformed.
    """
    settings = read_settings(Path.cwd(), os.environ) if command in COMMANDS else {}
    _settings.set(settings)
    known = {p.name: p for p in parameters}
    defaults = {}
    for name, setting in settings.items():
        parameter = known.get(OPTIONS[name])
        choices = getattr(getattr(parameter, "type", None), "choices", None)
        if parameter is not None and (choices is None or setting.value in list(map(str, choices))):
            is_list = not isinstance(setting.value, str)
            defaults[OPTIONS[name]] = list(setting.value) if is_list else setting.value
    return defaults


def name_origins(message: str) -> str:
    """Return which settings a message speaks of, in words; empty: of none."""
    origins = [
        f"{name} is set in {setting.origin}"
        for name, setting in current_settings().items()
        if any(repr(value) in message for value in _as_tuple(setting.value))
    ]
    return f" ({', '.join(origins)})" if origins else ""


def _as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _read_project(folder: Path) -> dict[str, Setting]:
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST_FILE_BYTES)
        except OSError:
            continue
        if b"tool.advisor" in content and (table := _find_table(path)) is not None:
            return {name: _check(path, name, value) for name, value in table.items()}
    return {}


def _find_table(path: Path) -> Mapping[str, Any] | None:
    from advisor.domain.files import read_toml

    tool = read_toml(path).get("tool")
    table = tool.get("advisor") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.advisor: expected a table")
    return table


def _check(path: Path, name: str, value: object) -> Setting:
    where = f"{path}: tool.advisor.{name}"
    if name not in OPTIONS:
        raise ConfigError(f"{path}: tool.advisor: {describe_unknown('setting', name, OPTIONS)}")
    if name == "set":
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise ConfigError(f'{where}: expected a list of texts, for example ["models=5"]')
        return Setting(tuple(value), str(path))
    text = str(value)  # a date of TOML is written as YYYY-MM-DD too
    if not text or isinstance(value, bool | list | dict | int | float):
        raise ConfigError(f"{where}: expected a text")
    is_path = (
        name == "rules"
        or (name == "store" and text != _BUNDLED_STORE)
        or (name == "domain" and text.endswith(".toml"))
    )
    return Setting(str(path.parent / text) if is_path else text, str(path))
