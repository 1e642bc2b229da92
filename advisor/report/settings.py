"""The settings that stand in for options, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from advisor.report.json import write_json


@dataclass(frozen=True)
class SettingEntry:
    """A default and where it comes from: the name of a variable, or the path of a file."""

    value: str | tuple[str, ...] | tuple[Mapping[str, Any], ...]
    origin: str


@dataclass(frozen=True)
class SettingsReport:
    """The settings by name; those that are not set are not there."""

    settings: Mapping[str, SettingEntry]


def render_json(settings: Mapping[str, SettingEntry]) -> str:
    """Return the settings that are set as JSON."""
    return write_json("settings", asdict(SettingsReport(settings)))
