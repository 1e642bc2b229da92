"""How many ready-made recipes a library has for a model family and a method: rows of a chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class RecipeCount:
    """The recipes of a library with the same family, method and task.

    Attributes:
        repository: the library.
        family: tracked family of the model; None: no recipe of a tracked family.
        method: which weights they train; None: they do not say.
        task: what they teach; None: they do not say.
        first_day: day on which the first of them was added; None without a recipe.
        recipes: their number.
        published_in, path, commit: of the one that was changed last; None without a recipe.
    """

    repository: str
    family: str | None
    method: str | None
    task: str | None
    first_day: date | None
    recipes: int
    published_in: str | None
    path: str | None
    commit: str | None


RECIPES_SQL = """
SELECT repository, family, CASE WHEN family IS NOT NULL THEN method END AS method,
       CASE WHEN family IS NOT NULL THEN task END AS task, min(added_on), count(DISTINCT path),
       arg_max(published_in, (changed_on, path)), arg_max(path, (changed_on, path)),
       arg_max(commit, (changed_on, path))
FROM recipes WHERE replaced_on IS NULL
GROUP BY ALL ORDER BY ALL
"""
"""A library whose tree was read has a row, also without a recipe."""
