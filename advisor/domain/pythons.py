"""The versions of CPython that are maintained on a day."""

from __future__ import annotations

from datetime import date
from functools import cache

from advisor.domain.files import StrictModel, data_folder, read_toml


class _Version(StrictModel):
    version: str
    released_on: date
    ends_on: date


@cache
def _load_versions() -> tuple[_Version, ...]:
    content = read_toml(data_folder() / "pythons.toml")
    return tuple(_Version.model_validate(entry) for entry in content["version"])


def pythons_on(day: date) -> tuple[str, ...]:
    """Return the maintained versions, for example ``3.13``, the oldest first."""
    return tuple(v.version for v in _load_versions() if v.released_on <= day < v.ends_on)
