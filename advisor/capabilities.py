"""What the libraries of a domain can do, each entry with the path that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from advisor.domain import data_folder, explain, read_toml

METHODS = ("full", "lora", "qlora")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Capability(_Strict):
    """Something that a library can or cannot do; the fields are described in the file."""

    name: Literal["full", "lora", "qlora", "multi_gpu", "multi_gpu_qlora", "packing", "amd", "apple", "cpu"]
    can: Literal["yes", "no"]
    path: str
    shows: str = Field(min_length=4)
    says: str


class Licence(_Strict):
    """The licence of one part of a library's tree."""

    part: str
    licence: Literal["permissive", "copyleft", "restricted"]
    name: str
    path: str
    shows: str = Field(min_length=4)


class Library(_Strict):
    """All that is known of one library at one commit."""

    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    day: date
    licences: tuple[Licence, ...] = Field(min_length=1)
    capability: tuple[Capability, ...]

    def can(self, name: str) -> Capability | None:
        """The entry of this name; None: unknown."""
        return next((c for c in self.capability if c.name == name), None)


def load_capabilities(domain: str, folder: Path | None = None) -> Mapping[str, Library]:
    """Repository → what its library can do; empty where the domain has no such file.

    Raises:
        ConfigError: the file is wrong.
    """
    path = (folder or data_folder()) / "capabilities" / f"{domain}.toml"
    if not path.exists():
        return {}
    try:
        return TypeAdapter(dict[str, Library]).validate_python(read_toml(path))
    except ValidationError as error:
        raise explain(path, error) from None
