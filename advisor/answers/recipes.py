"""The ready-made recipe of each library that is nearest to a task, and what differs from the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from advisor.answers.question import select_candidates
from advisor.answers.recipe_distance import WEIGHTS, Distance, Task, describe_task, measure_distance
from advisor.domain.capabilities import METHODS
from advisor.domain.domain import load_domain
from advisor.domain.families import Family, load_families
from advisor.domain.model_names import find_family, find_near_names
from advisor.domain.recipe import Recipe
from advisor.domain.recipe_words import KINDS
from advisor.errors import FactsError, InputError, SnapshotMissing, UnknownName, find_name
from advisor.facts.database import fetch_rows
from advisor.facts.facts_view import FactsView
from advisor.facts.reading import open_store

DEFAULT_TASK = "sft"
"""The task of a user who names only the weights to train."""
_COLUMNS = (
    *("repository", "published_in", "path", "added_on", "changed_on", "commit"),
    *(field.name for field in fields(Recipe)),
)


@dataclass(frozen=True)
class NearRecipe(Recipe):
    """A recipe of a library, and how far it is from the task.

    Attributes:
        repository, path: the library, and the path of the file.
        address: of this version of the file on GitHub.
        added_on, changed_on: first day of the path, and last change of the file.
        age_days: since the last change.
        commit: of the last change.
        differences: what differs from the task, in words; empty: nothing.
        steps: how much differs.
    """

    repository: str
    path: str
    address: str
    added_on: date
    changed_on: date
    age_days: int
    commit: str
    differences: tuple[str, ...]
    steps: int


@dataclass(frozen=True)
class Recipes:
    """The answer of `advisor recipes`.

    Attributes:
        as_of: the day to answer for.
        task: what the user wants to do, in words.
        nearest: library → its nearest recipes, the nearest first; libraries in the order of their first.
        missing: library → why it has none.
    """

    as_of: date
    task: str
    nearest: Mapping[str, tuple[NearRecipe, ...]]
    missing: Mapping[str, str]


def read_task(model: str | None, methods: Sequence[str], gpu_memory_gib: float | None) -> Task:
    """Return the task that a user describes.

    Args:
        model: name of a model or of a family.
        methods: at most one by the weights that it trains, and at most one task.
        gpu_memory_gib: memory of the one GPU.

    Raises:
        InputError: an unknown model or method, or two methods of the same kind.
    """
    names = [_read_method(name) for name in methods]
    weights = [name for name in names if name in WEIGHTS]
    objectives = [name for name in names if name not in WEIGHTS]
    for pair in (weights, objectives):
        if len(pair) > 1:
            raise InputError(f"--method {pair[0]} and --method {pair[1]} exclude each other: choose one")
    return Task(
        model,
        _read_family(model) if model is not None else None,
        weights[0] if weights else None,
        objectives[0] if objectives else DEFAULT_TASK if weights else None,
        gpu_memory_gib,
    )


_OBJECTIVES = (
    "sft", "pretraining", "dpo", "orpo", "kto", "simpo", "cpo", "bco", "grpo", "rloo", "ppo", "online_dpo",
    "reward", "prm", "distillation",
)  # fmt: skip


def _read_method(name: str) -> str:
    return find_name(
        "method", name.strip().replace("-", "_"), dict.fromkeys((*WEIGHTS, *METHODS, *_OBJECTIVES))
    )


def _read_family(model: str) -> Family:
    families = load_families()
    family = find_family(model, families)
    if family is None:
        near = find_near_names(model, families)
        raise UnknownName("model", model, near or [f.name for f in families])
    return family


def find_recipes(
    task: Task,
    stores: Sequence[Path],
    domain: str = "finetuning",
    repositories: Sequence[str] = (),
    as_of: date | None = None,
    most: int = 1,
) -> tuple[Recipes, FactsView]:
    """Find the nearest recipes of each library.

    Args:
        task: what the user wants to do.
        stores: folders of facts; the first one with recipes counts.
        domain: its candidates are the libraries.
        repositories: the libraries in place of all candidates; also names without their owner.
        as_of: day to answer for; None: the day until which the recipes are known.
        most: recipes of a library.

    Returns:
        The answer, and the facts that it rests on.

    Raises:
        UnknownName: a domain or a candidate does not exist.
        FactsError: the facts are damaged, or no store has recipes.
    """
    question = load_domain(domain)
    names = tuple(c.repository for c in select_candidates(question, repositories))
    view = _open_recipes(stores, names, as_of)
    if view is None:
        advice = "run `advisor collect-docs OWNER/NAME` for each of them"
        if any(criterion.name == "models" for criterion in question.criteria):
            raise FactsError(f"no facts about recipes of these libraries: {advice}")
        raise FactsError(
            f"no recipes in the domain {domain}: a recipe trains a model, and this domain does not ask for "
            f"models. Use `--domain finetuning`; if these libraries train models, {advice}"
        )
    nearest, repositories_read = list_nearest(task, view, most)
    missing = {
        name: "no recipe in its tree" if name in repositories_read else "no data: run `advisor collect-docs`"
        for name in names
        if name not in nearest
    }
    return Recipes(view.as_of, describe_task(task), nearest, missing), view


def list_nearest(
    task: Task, view: FactsView, most: int = 1
) -> tuple[dict[str, tuple[NearRecipe, ...]], set[str]]:
    """Return the nearest recipes of each library of a view, and the libraries whose trees were read."""
    families = {family.name: family for family in load_families()}
    by_library: dict[str, list[tuple[NearRecipe, Distance]]] = {}
    repositories_read = set()
    for row in _read_rows(view):
        repositories_read.add(row["repository"])
        if row["path"] is not None:
            distance = measure_distance(task, Recipe(**_read_tags(row)), families)
            recipe = _describe(row, distance, view.as_of)
            by_library.setdefault(recipe.repository, []).append((recipe, distance))
    ranking = {name: sorted(pairs, key=_rank_of)[:most] for name, pairs in by_library.items()}
    order = sorted(ranking, key=lambda name: (_rank_of(ranking[name][0]), name.lower()))
    return {name: tuple(recipe for recipe, _ in ranking[name]) for name in order}, repositories_read


def _rank_of(pair: tuple[NearRecipe, Distance]) -> tuple[int, int, int, float, int, str]:
    recipe, distance = pair
    kinds: tuple[str, ...] = (*KINDS, recipe.kind)  # a stranger may write another kind: it comes last
    place = kinds.index(recipe.kind)
    return (
        distance.steps,
        distance.age_gap_days,
        place,
        distance.billions,
        recipe.age_days,
        recipe.path,
    )


def _open_recipes(stores: Sequence[Path], names: Sequence[str], as_of: date | None) -> FactsView | None:
    for path in stores:
        try:
            store = open_store(path)
        except SnapshotMissing:
            continue
        files = [file for name in names for file in store.files.get(name, ()) if file.startswith("recipes/")]
        if files:
            last_day = max(store.manifest["files"][file].get("read_on", str(store.as_of)) for file in files)
            names_there = tuple(name for name in names if name in store.files)
            view = FactsView(store, names_there, as_of or max(store.as_of, date.fromisoformat(last_day)))
            if view.damages:
                raise FactsError("; ".join(map(str, view.damages)))
            return view
    return None


def _read_rows(view: FactsView) -> list[dict[str, Any]]:
    result = view.connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM recipes WHERE replaced_on IS NULL")
    return [dict(zip(_COLUMNS, row, strict=True)) for row in fetch_rows(result)]


def _read_tags(row: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: row[field.name] for field in fields(Recipe)}


def _describe(row: Mapping[str, Any], distance: Distance, as_of: date) -> NearRecipe:
    return NearRecipe(
        **_read_tags(row),
        repository=row["repository"],
        path=row["path"],
        address=f"https://github.com/{row['published_in']}/blob/{row['commit']}/{_quote(row['path'])}",
        added_on=row["added_on"],
        changed_on=row["changed_on"],
        age_days=(as_of - row["changed_on"]).days,
        commit=row["commit"],
        differences=distance.differences,
        steps=distance.steps,
    )


def _quote(path: str) -> str:
    """Return a path as an address has it."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in path.encode())
