"""Read the recipes in a file: the model, the method, the task, the data and the hardware of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from advisor.collect.recipes.hardware import find_hardware
from advisor.collect.recipes.units import Unit, split_file
from advisor.domain.families import Family, family_of
from advisor.domain.recipe import Recipe
from advisor.domain.recipe_words import Kind, Layout, RecipeWords, Tag, Word, compile_pattern


class RecipeReader:
    """Reads the recipes of one library's files."""

    def __init__(self, layout: Layout, words: RecipeWords, families: Sequence[Family]) -> None:
        self._layout = layout
        self._words = words
        self._families = families
        self._cache: dict[tuple[str, int], Recipe | None] = {}

    def is_relevant(self, path: str) -> bool:
        """Return whether a file can hold recipes."""
        return self._layout.find_kind(path) is not None and not self._words.is_skipped(path)

    def read_recipes(self, path: str, text: str) -> list[Recipe]:
        """Return the recipes in a file, in order and each once."""
        kind = self._layout.find_kind(path)
        if kind is None:
            return []
        recipes = (self._read_unit(kind, path, unit) for unit in split_file(kind, text))
        return list(dict.fromkeys(recipe for recipe in recipes if recipe is not None))

    def _read_unit(self, kind: Kind, path: str, unit: Unit) -> Recipe | None:
        """Read a unit once, also if many versions of the file have it."""
        key = (path, hash(unit))
        if key not in self._cache:
            self._cache[key] = self._find_recipe(kind, path, unit)
        return self._cache[key]

    def _find_recipe(self, kind: Kind, path: str, unit: Unit) -> Recipe | None:
        model = self._find_model(unit)
        if model is None:
            return None
        task = self._find_value("task", path, unit, None)
        method = self._find_value("method", path, unit, task)
        if kind == "page" and task is None and self._layout.task is None:
            return None  # it loads a model, and nothing says that it trains it
        if task is None and method is None and (kind != "config" or self._layout.task is None):
            return None
        task = task or self._layout.task
        method = method or self._layout.method
        family = family_of(model, self._families)
        hardware = find_hardware(path, unit.context, self._words.gpus)
        return Recipe(
            kind,
            family.name if family else None,
            model,
            method,
            task,
            self._find_value("data_format", path, unit, task),
            *hardware,
        )

    def _find_model(self, unit: Unit) -> str | None:
        for text in (unit.text, unit.whole):
            for pattern in self._words.models:
                if match := compile_pattern(pattern).search(text):
                    return match[1]
        return None

    def _find_value(self, tag: Tag, path: str, unit: Unit, task: str | None) -> str | None:
        """Return the value of the first word that counts: in the unit, in the path, in the file."""
        own, general = ([w for w in words if w.tag == tag] for words in (self._layout.word, self._words.word))
        values = chain(
            _match_tasks(general, task),
            _match_texts(own, unit.text),
            _match_paths(own, path),
            _match_texts(general, unit.text),
            _match_paths(general, path),
            _match_texts(general, unit.whole),
        )
        return next(values, None)


def _match_tasks(words: Iterable[Word], task: str | None) -> Iterator[str]:
    return (word.value for word in words if task is not None and task in word.task)


def _match_texts(words: Iterable[Word], text: str) -> Iterator[str]:
    for word in words:
        if word.text and all(compile_pattern(pattern).search(text) for pattern in word.text):
            yield _fill_in(word, compile_pattern(word.text[0]).search(text))


def _match_paths(words: Iterable[Word], path: str) -> Iterator[str]:
    for word in words:
        if word.path and (match := compile_pattern(word.path).search(path)):
            yield _fill_in(word, match)


def _fill_in(word: Word, match: re.Match[str] | None) -> str:
    return match[1].lower() if word.value == "$1" and match else word.value
