"""Families of open-weight models: the vendor, the release date and the names of their models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from advisor.domain.files import data_folder, describe_error, read_toml
from advisor.errors import ConfigError

# Marks in a name: of a model that reads images (vl, vision, 4v), of a mixture of experts (moe, a3b, 8x7b).
_IMAGES = re.compile(r"(?:^|-|\d)(?:vl|vlm|vision|omni|multimodal)(?![a-z])|\dv(?![a-z\d])")
_MIXTURE = re.compile(
    r"(?:^|-|\d)moe(?![a-z])|-a\d+(?:\.\d+)?[bm](?![a-z])|\d+x\d+(?:\.\d+)?b|-\d+e(?![a-z\d])"
)


class Size(BaseModel):
    """The number of parameters of the models of a family whose names have a pattern."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    names: str
    billions: float = Field(gt=0)


class Family(BaseModel):
    """A family of model_families.toml, which describes each field."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    vendor: str
    released: date
    source: str
    read: Literal["page", "commit", "second hand", "unconfirmed"]
    architecture: str | None = None
    reads: Literal["text", "images"] = "text"
    dense: bool = False
    sizes: tuple[Size, ...] = ()
    names: str
    yes: tuple[str, ...] = Field(min_length=1)
    no: tuple[str, ...] = Field(min_length=1)

    @field_validator("names")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"invalid regular expression: {error}") from None
        return pattern

    def has(self, name: str) -> bool:
        """Return whether a model with this name (``owner/name``, a folder, a file) is of this family."""
        plain = normalise_name(name)
        if (self.reads == "text" and _IMAGES.search(plain)) or (self.dense and _MIXTURE.search(plain)):
            return False
        return re.match(self.names, plain) is not None

    def find_billions(self, name: str) -> float | None:
        """Return the billions of parameters of a model, if the file knows them; all experts count."""
        plain = normalise_name(name)
        return next((s.billions for s in self.sizes if re.search(s.names, plain)), None)


class _FamilyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    family: tuple[Family, ...] = Field(min_length=1)


@lru_cache(maxsize=4096)
def normalise_name(name: str) -> str:
    """Return a name without its owner, in lower case and with ``-`` for ``_``, as the patterns expect."""
    return name.rstrip("/").rsplit("/", 1)[-1].lower().replace("_", "-")


def family_of(name: str, families: Sequence[Family]) -> Family | None:
    """Return the family of a model's name; None if it is not a tracked family."""
    return next((f for f in families if f.has(name)), None)


def load_families(folder: Path | None = None) -> tuple[Family, ...]:
    """Read model_families.toml, in file order.

    Raises:
        ConfigError: the file is invalid, or two families have the same name; in a folder of yours also: an
            example of a name does not match exactly its own family.
    """
    path = (folder or data_folder()) / "model_families.toml"
    try:
        families = _FamilyFile.model_validate(read_toml(path)).family
    except ValidationError as error:
        raise describe_error(path, error) from None
    names = [f.name for f in families]
    if duplicate := next((n for n in names if names.count(n) > 1), None):
        raise ConfigError(f"{path}: two families have the name {duplicate!r}")
    if folder is not None:  # a test checks the examples of the bundled file, which take longer than a ranking
        check_examples(path, families)
    return families


def check_examples(path: Path, families: Sequence[Family]) -> None:
    """Check that each example of a name matches exactly its own family.

    Raises:
        ConfigError: an example matches another family, or not its own.
    """
    for family in families:
        for name in family.yes:
            matches = [f.name for f in families if f.has(name)]
            if matches != [family.name]:
                raise ConfigError(f"{path}: {name!r} must match only {family.name}, but it matches {matches}")
        for name in family.no:
            if family.has(name):
                raise ConfigError(f"{path}: {name!r} must not match {family.name}")
