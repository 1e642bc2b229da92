"""The capabilities of a domain's libraries, each with the file that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml

METHODS = ("full", "lora", "qlora")


class Capability(StrictModel):
    """A feature that a library has or does not have; the TOML file describes the fields."""

    name: Literal["full", "lora", "qlora", "multi_gpu", "multi_gpu_qlora", "packing", "amd", "apple", "cpu"]
    can: Literal["yes", "no"]
    path: str
    shows: str = Field(min_length=4)
    says: str


class Licence(StrictModel):
    """The licence of one part of a library's source tree."""

    part: str
    licence: Literal["permissive", "copyleft", "restricted"]
    name: str
    path: str
    shows: str = Field(min_length=4)


class Library(StrictModel):
    """The capabilities and licences of one library at one commit."""

    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    day: date
    licences: tuple[Licence, ...] = Field(min_length=1)
    capability: tuple[Capability, ...]

    def can(self, name: str) -> Capability | None:
        """Return the entry with this name; None: unknown."""
        return next((c for c in self.capability if c.name == name), None)


def load_capabilities(domain: str, folder: Path | None = None) -> Mapping[str, Library]:
    """Read a domain's file of capabilities, by repository; empty if the domain has no such file.

    Raises:
        ConfigError: the file is invalid.
    """
    path = (folder or data_folder()) / "capabilities" / f"{domain}.toml"
    if not path.exists():
        return {}
    try:
        return TypeAdapter(dict[str, Library]).validate_python(read_toml(path))
    except ValidationError as error:
        raise describe_error(path, error) from None
