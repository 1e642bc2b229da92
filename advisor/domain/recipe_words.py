"""recipes.toml: where libraries keep their recipes, and the words that tell what each recipe is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml
from advisor.errors import ConfigError

Kind = Literal["config", "script", "notebook", "page"]
KINDS: tuple[Kind, ...] = ("config", "script", "notebook", "page")
Tag = Literal["method", "task", "data_format"]
ANY = "*"
"""The repository of the layout for all libraries without their own."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern of recipes.toml: without case, with ^ and $ at the ends of lines."""
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def _check_pattern(pattern: str | None) -> str | None:
    try:
        if pattern is not None:
            compile_pattern(pattern)
    except re.error as error:
        raise ValueError(f"invalid regular expression: {error}") from None
    return pattern


class Word(StrictModel):
    """A word that gives a recipe a tag; the file describes each field."""

    tag: Tag
    value: str
    text: tuple[str, ...] = ()
    path: str | None = None
    task: tuple[str, ...] = ()

    @field_validator("text")
    @classmethod
    def _compile_texts(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(_check_pattern, patterns)))

    _compile_path = field_validator("path")(_check_pattern)


class Layout(StrictModel):
    """The files of one library that can hold recipes; the file describes each field."""

    name: str
    repository: str
    also: tuple[str, ...] = ()
    config: str | None = None
    script: str | None = None
    notebook: str | None = None
    page: str | None = None
    skip: str | None = None
    method: str | None = None
    task: str | None = None
    word: tuple[Word, ...] = ()

    _compile_paths = field_validator("config", "script", "notebook", "page", "skip")(_check_pattern)

    def find_kind(self, path: str) -> Kind | None:
        """Return the kind of recipe that a file can hold; None: it holds no recipe."""
        if self.skip and compile_pattern(self.skip).search(path):
            return None
        patterns: Mapping[Kind, str | None] = {
            "config": self.config,
            "script": self.script,
            "notebook": self.notebook,
            "page": self.page,
        }
        return next((k for k, p in patterns.items() if p and compile_pattern(p).search(path)), None)


class RecipeWords(StrictModel):
    """The content of recipes.toml."""

    skip: str
    models: tuple[str, ...] = Field(min_length=1)
    word: tuple[Word, ...] = Field(min_length=1)
    gpus: Mapping[str, float]
    layout: tuple[Layout, ...] = Field(min_length=1)

    _compile_skip = field_validator("skip")(_check_pattern)

    @field_validator("models")
    @classmethod
    def _have_one_group(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            _check_pattern(pattern)
            if compile_pattern(pattern).groups != 1:
                raise ValueError(f"the pattern {pattern!r} needs exactly one group: the name of the model")
        return patterns

    def find_layout(self, repository: str) -> Layout:
        """Return the layout of a library; the generic one if it has none of its own."""
        by_name = {layout.repository.lower(): layout for layout in self.layout}
        return by_name.get(repository.lower(), by_name[ANY])

    def is_skipped(self, path: str) -> bool:
        """Return whether a file trains nothing, as its path says."""
        return compile_pattern(self.skip).search(path) is not None


def load_words(folder: Path | None = None) -> RecipeWords:
    """Read recipes.toml.

    Raises:
        ConfigError: the file is invalid, or it has no layout for all libraries.
    """
    path = (folder or data_folder()) / "recipes.toml"
    try:
        words = RecipeWords.model_validate(read_toml(path))
    except ValidationError as error:
        raise describe_error(path, error) from None
    if not any(layout.repository == ANY for layout in words.layout):
        raise ConfigError(f'{path}: no layout has repository = "{ANY}", so most libraries have none')
    return words
