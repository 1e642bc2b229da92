"""What vendors say of the pre-training data of their models: newest month, amount, kind, languages."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from advisor.domain.families import load_families
from advisor.domain.files import data_folder, describe_error, read_toml
from advisor.domain.model_names import find_family

_FILE = "pretraining.toml"


class Pretraining(BaseModel):
    """An entry of pretraining.toml, which describes each field."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    cutoff: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")] | None = None
    tokens: str | None = None
    data: str | None = None
    languages: str | None = None
    source: str
    read: date


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    family: tuple[Pretraining, ...]


@lru_cache
def load_pretraining(folder: Path | None = None) -> tuple[Pretraining, ...]:
    """Return the entries of a data folder.

    Raises:
        ConfigError: the file cannot be read, or an entry is wrong.
    """
    path = (folder or data_folder()) / _FILE
    try:
        return _File.model_validate(read_toml(path)).family
    except ValidationError as error:
        raise describe_error(path, error) from None


def find_pretraining(model: str) -> Pretraining | None:
    """Return what the vendor says of the family of a model; None: advisor knows nothing."""
    family = find_family(model, load_families())
    entries = {entry.name: entry for entry in load_pretraining()}
    return entries.get(family.name) if family is not None else None
