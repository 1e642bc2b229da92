"""Recipes as text, Markdown, CSV or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import assert_never

from advisor.answers.recipes import NearRecipe, Recipes
from advisor.facts.facts_view import FactsView
from advisor.report.csv import write_csv
from advisor.report.formats import Format, RecipesFormat
from advisor.report.json import write_json
from advisor.report.tables import markdown_table

_FIELDS = (
    *("repository", "path", "kind", "model", "family", "method", "task", "data_format", "gpus", "memory_gb"),
    *("hardware", "added_on", "changed_on", "age_days", "commit", "address", "steps"),
)
_HEADER = ("library", "steps", "model", "method", "task", "hardware", "last change", "differs")


def render(
    recipes: Recipes,
    output_format: RecipesFormat,
    views: Sequence[FactsView] = (),
) -> str:
    """Return the recipes in a format; CSV and JSON have all fields.

    Args:
        recipes: the nearest recipes of each library.
        output_format: how to write them.
        views: the facts behind them, which JSON names.
    """
    match output_format:
        case Format.table:
            return _text(recipes)
        case Format.markdown:
            return _markdown(recipes)
        case Format.csv:
            rows = (
                [*(getattr(recipe, name) for name in _FIELDS), "; ".join(recipe.differences)]
                for recipe in _list_recipes(recipes)
            )
            return write_csv([*_FIELDS, "differences"], rows)
        case Format.json:
            return write_json("recipes", asdict(recipes), views)
        case _:
            assert_never(output_format)


def _list_recipes(recipes: Recipes) -> list[NearRecipe]:
    return [recipe for of_library in recipes.nearest.values() for recipe in of_library]


def _rows(recipes: Recipes) -> list[list[str]]:
    return [
        [
            recipe.repository.split("/")[1],
            str(recipe.steps),
            recipe.model,
            recipe.method or "?",
            recipe.task or "?",
            recipe.hardware or "does not say",
            f"{recipe.changed_on} ({_describe_age(recipe.age_days)})",
            "; ".join(recipe.differences) or "nothing",
        ]
        for recipe in _list_recipes(recipes)
    ]


def _count_steps(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def _describe_age(days: int) -> str:
    return f"{days} days ago" if days != 1 else "1 day ago"


def _text(recipes: Recipes) -> str:
    lines = [f"ready-made recipes as of {recipes.as_of} for: {recipes.task}"]
    for recipe in _list_recipes(recipes):
        lines += ["", *describe(recipe)]
    if recipes.missing:
        lines += ["", *(f"{name}: {reason}" for name, reason in recipes.missing.items())]
    if recipes.nearest:
        lines += ["", "steps: how much you have to change, where another task counts most; 0 fits as it is"]
    return "\n".join(lines) + "\n"


def describe(recipe: NearRecipe) -> list[str]:
    """Return a recipe in lines: what it is for, what differs, its age, its address."""
    words = [
        recipe.method,
        recipe.task,
        recipe.data_format and f"data: {recipe.data_format}",
        recipe.hardware,
    ]
    return [
        f"{recipe.repository.split('/')[1]} ({_count_steps(recipe.steps)}): {recipe.path}",
        f"  {recipe.kind} for {recipe.model}: {', '.join(filter(None, words)) or 'no more is said'}",
        f"  differs: {'; '.join(recipe.differences) or 'nothing'}",
        f"  since {recipe.added_on}, last change {recipe.changed_on} ({_describe_age(recipe.age_days)})",
        f"  {recipe.address}",
    ]


def _markdown(recipes: Recipes) -> str:
    rows = [
        [*row, recipe.address] for row, recipe in zip(_rows(recipes), _list_recipes(recipes), strict=True)
    ]
    lines = [f"# Ready-made recipes as of {recipes.as_of}", "", f"For: {recipes.task}.", ""]
    table = markdown_table([*_HEADER, "file"], rows) if rows else ""
    missing = [f"- {name}: {reason}" for name, reason in recipes.missing.items()]
    return "\n".join([*lines, table, *([""] if missing else []), *missing]) + "\n"
