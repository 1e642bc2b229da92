"""Defaults for the options of the commands that answer, from variables and from pyproject.toml.

An option that is typed comes first, then the variable ``ADVISOR_NAME``, then ``[tool.advisor]`` of the
nearest pyproject.toml that has this table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
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

GATE = {
    "fail-under": str,
    "certain": bool,
    "min-known": str,
    "fail-unknown": bool,
    "without": tuple,
    "python": str,
    "platform": str,
    "license": str,
    "avoid": tuple,
    "exceptions": dict,
}
"""Settings for `advisor rank --from` alone → the kind of their value; ``exceptions`` are tables."""

COMMANDS = frozenset({"rank", "explain", "compare", "coverage", "dashboard", "goals"})
"""The commands that settings apply to: those that answer. No setting can change where facts are written."""

_LARGEST_FILE_BYTES = 1 << 20
_BUNDLED_STORE = "bundled"


@dataclass(frozen=True)
class Setting:
    """A default and where it comes from: the name of a variable, or the path of a file."""

    value: str | tuple[str, ...] | tuple[Mapping[str, Any], ...]
    origin: str


_settings: ContextVar[Mapping[str, Setting]] = ContextVar("settings", default=MappingProxyType({}))


def current_settings() -> Mapping[str, Setting]:
    """Return the settings of the running command, by name."""
    return _settings.get()


def read_settings(folder: Path, environment: Mapping[str, str]) -> dict[str, Setting]:
    """Return the settings by name, in the order of `OPTIONS` and `GATE`.

    Args:
        folder: where to look for pyproject.toml, then its parents.
        environment: variables by name.

    Raises:
        ConfigError: the table of pyproject.toml is malformed.
    """
    settings = _read_project(folder)
    names = (*OPTIONS, *GATE)
    for name in names:
        variable = f"ADVISOR_{name.upper().replace('-', '_')}"
        if (text := environment.get(variable)) and name != "exceptions":
            is_list = name == "set" or GATE.get(name) is tuple
            values = tuple(part.strip() for part in text.split(",")) if is_list else text
            settings[name] = Setting(values, variable)
    return {name: settings[name] for name in names if name in settings}


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
        if name in GATE:  # they mean nothing without --from
            continue
        parameter = known.get(OPTIONS[name])
        choices = getattr(getattr(parameter, "type", None), "choices", None)
        if parameter is not None and (choices is None or setting.value in list(map(str, choices))):
            is_list = not isinstance(setting.value, str)
            defaults[OPTIONS[name]] = list(setting.value) if is_list else setting.value
    return defaults


def gate_setting(name: str) -> Setting | None:
    """Return a setting of `GATE`; None if there is none."""
    return current_settings().get(name)


def name_origins(message: str) -> str:
    """Return which settings a message speaks of, in words; empty: of none."""
    origins = [
        f"{name} is set in {setting.origin}"
        for name, setting in current_settings().items()
        if any(repr(value) in message for value in _as_tuple(setting.value))
    ]
    return f" ({', '.join(origins)})" if origins else ""


def _as_tuple(value: str | tuple[Any, ...]) -> tuple[Any, ...]:
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
    if name not in OPTIONS and name not in GATE:
        raise ConfigError(f"{path}: tool.advisor: {describe_unknown('setting', name, [*OPTIONS, *GATE])}")
    if name in GATE:
        return Setting(_check_gate(where, name, value), str(path))
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


def _check_gate(
    where: str, name: str, value: object
) -> str | tuple[str, ...] | tuple[Mapping[str, Any], ...]:
    """Return the value of a setting for the gate as an option has it; a list of tables as they are."""
    kind = GATE[name]
    if kind is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: expected true or false")
        return "true" if value else "false"
    if kind is tuple:
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise ConfigError(f'{where}: expected a list of texts, for example ["dev"]')
        return tuple(value)
    if kind is dict:
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            raise ConfigError(f"{where}: expected tables [[tool.advisor.exceptions]]")
        return tuple(_check_exception(where, table) for table in value)
    if not value or isinstance(value, bool | list | dict):
        raise ConfigError(f"{where}: expected a text or a number")
    return str(value)


_EXCEPTION = ("package", "reason", "expires")


def _check_exception(where: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in table:
        if name not in _EXCEPTION:
            raise ConfigError(f"{where}: {describe_unknown('key', name, _EXCEPTION)}")
    for name in ("package", "reason"):
        if not isinstance(table.get(name), str) or not table[name].strip():
            raise ConfigError(f"{where}: each exception needs a {name}")
    expires = table.get("expires")
    if expires is not None and type(expires) is not date:
        package = table["package"]
        raise ConfigError(
            f"{where}: expires of {package}: expected a date, for example 2027-01-31 without quotes"
        )
    return table
