"""Families of open-weight models: who makes them, since when, and which names mean them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from advisor.domain.files import data_folder, explain, read_toml
from advisor.errors import ConfigError


class Family(BaseModel):
    """One family as written in model_families.toml, where each field is described."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    vendor: str
    released: date
    source: str
    read: Literal["page", "commit", "second hand", "unconfirmed"]
    architecture: str | None = None
    names: str
    yes: tuple[str, ...] = Field(min_length=1)
    no: tuple[str, ...] = Field(min_length=1)

    @field_validator("names")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a pattern: {error}") from None
        return pattern

    def has(self, name: str) -> bool:
        """Whether a model of this name (``owner/name``, a folder, a file) is of this family."""
        return re.match(self.names, plain(name)) is not None


class _FamilyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    family: tuple[Family, ...] = Field(min_length=1)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name as the patterns see it: without its owner, in lower case, with ``-`` for ``_``."""
    return name.rstrip("/").rsplit("/", 1)[-1].lower().replace("_", "-")


def family_of(name: str, families: Sequence[Family]) -> Family | None:
    """The family that a name means; None if it is of none that is followed."""
    return next((f for f in families if f.has(name)), None)


def with_architecture(architecture: str, families: Iterable[Family]) -> list[Family]:
    """The families whose weights load as this ``model_type`` of transformers."""
    return [f for f in families if f.architecture == architecture]


def load_families(folder: Path | None = None) -> tuple[Family, ...]:
    """Read model_families.toml, in its order.

    Raises:
        ConfigError: the file is wrong, two families share a name, an example is not kept, or a name
            given as an example of one family is taken for another's too.
    """
    path = (folder or data_folder()) / "model_families.toml"
    try:
        families = _FamilyFile.model_validate(read_toml(path)).family
    except ValidationError as error:
        raise explain(path, error) from None
    names = [f.name for f in families]
    if doubled := next((n for n in names if names.count(n) > 1), None):
        raise ConfigError(f"{path}: there are two families named {doubled!r}")
    for family in families:
        for name in family.yes:
            found = [f.name for f in families if f.has(name)]
            if found != [family.name]:
                raise ConfigError(f"{path}: {name!r} should mean {family.name} alone, means {found}")
        for name in family.no:
            if family.has(name):
                raise ConfigError(f"{path}: {name!r} should not mean {family.name}")
    return families
