"""The capabilities of libraries, each with the file that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml

METHODS = ("full", "lora", "qlora", "dpo", "orpo", "grpo", "reward")
HARDWARE = ("amd", "apple", "tpu", "cpu")


Name = Literal[
    "full", "lora", "qlora", "dpo", "orpo", "grpo", "reward", "vision", "long_context", "packing",
    "multi_gpu", "multi_gpu_qlora", "multi_node", "amd", "apple", "tpu", "cpu", "offload",
]  # fmt: skip
CAPABILITIES: tuple[Name, ...] = get_args(Name)


class Capability(StrictModel):
    """A feature that a library has or does not have; the TOML file describes the fields."""

    name: Name
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


def load_capabilities(folder: Path | None = None) -> Mapping[str, Library]:
    """Read the files of data/capabilities, by repository.

    Raises:
        ConfigError: a file is invalid.
    """
    libraries: dict[str, Library] = {}
    for path in sorted(((folder or data_folder()) / "capabilities").glob("*.toml")):
        try:
            libraries |= TypeAdapter(dict[str, Library]).validate_python(read_toml(path))
        except ValidationError as error:
            raise describe_error(path, error) from None
    return libraries
