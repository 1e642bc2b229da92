"""Follow the recipes of a library through its history: each version of a file, and its days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from advisor.collect.coverage.history import REMOVAL, Step, list_commits
from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.readings import Readings
from advisor.collect.recipes.tags import RecipeReader
from advisor.domain.recipe import Recipe

_COMMIT_LENGTH = 12
MAX_FETCH_BYTES = 2**31  # many notebooks, compressed


def follow_recipes(folder: Path, reader: RecipeReader, readings: Readings) -> Iterator[dict[str, Any]]:
    """Yield a row for each recipe in each version of a file on the default branch.

    Args:
        folder: the repository.
        reader: reads the recipes of this library.
        readings: what earlier runs read by the same rules.

    Yields:
        the tags of `tags.Recipe`, ``path``, ``commit``, ``added_on`` (first day of the path; that of the old
        path if a commit only moves the file), ``changed_on`` and ``replaced_on`` (None: still there).

    Raises:
        GitFailed: git ended with an error.
    """
    steps = list(list_commits(folder, (".",), reader.is_relevant))
    contents = readings.list_new(file for step in steps for file in step.files if file[1] != REMOVAL)
    fetch_blobs(folder, contents, max_bytes=MAX_FETCH_BYTES)
    versions: dict[str, tuple[str, date, list[dict[str, Any]]]] = {}  # path → blob, added_on, open rows
    cache: dict[tuple[str, str], list[Recipe]] = {}
    with BlobReader(folder, contents) as blobs:
        for step in steps:
            moved_days = {
                versions[path][0]: versions[path][1]
                for path, blob in step.files
                if blob == REMOVAL and path in versions
            }
            for path, blob in step.files:
                _, added_on, rows = versions.pop(path, (blob, moved_days.get(blob, step.day), []))
                for row in rows:
                    yield {**row, "replaced_on": step.day}
                if blob == REMOVAL:
                    continue
                if (path, blob) not in cache:
                    read = partial(_read_recipes, path, blob, blobs, reader)
                    cache[path, blob] = [Recipe(**row) for row in readings.read(path, blob, read)]
                versions[path] = (blob, added_on, _build_rows(path, step, added_on, cache[path, blob]))
    for _, _, rows in versions.values():
        yield from rows


def _read_recipes(path: str, blob: str, blobs: BlobReader, reader: RecipeReader) -> list[dict[str, Any]]:
    text = blobs.read_text(blob) if blobs.has(blob) else ""  # a submodule has no text
    return [asdict(recipe) for recipe in reader.read_recipes(path, text)]


def _build_rows(path: str, step: Step, added_on: date, recipes: list[Recipe]) -> list[dict[str, Any]]:
    place = {
        "path": path,
        "commit": step.label[:_COMMIT_LENGTH],
        "added_on": added_on,
        "changed_on": step.day,
        "replaced_on": None,
    }
    return [{**asdict(recipe), **place} for recipe in recipes]
