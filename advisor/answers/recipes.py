"""The ready-made recipe of each library that is nearest to a task, and what differs from the task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from advisor.answers.question import select_candidates
from advisor.decide.training_memory import parse_parameters
from advisor.domain.capabilities import METHODS
from advisor.domain.domain import load_domain
from advisor.domain.families import Family, load_families
from advisor.domain.model_names import find_family, find_near_names
from advisor.domain.recipe_words import KINDS
from advisor.errors import FactsError, InputError, SnapshotMissing, UnknownName, find_name
from advisor.facts.database import fetch_rows
from advisor.facts.facts_view import FactsView
from advisor.facts.reading import open_store

WEIGHTS = ("full", "freeze", "lora", "qlora", "dora", "qdora", "oft", "adapter")
"""Methods by the weights that they train; every other method is a task, with its own loss and data."""
_LOW_RANK = frozenset({"lora", "qlora", "dora", "qdora"})
DEFAULT_TASK = "sft"

# What a user must change in a recipe, in steps: another task needs other data and another loss; another
# family needs another chat template; the rest are values of the same file. The fewest steps are nearest.
_STEPS = {
    "task": 6,
    "family": 4,
    "series": 2,
    "weights": 2,
    "adapter": 1,
    "size": 1,
    "hardware": 1,
    "silence": 1,
}


@dataclass(frozen=True)
class Task:
    """What the user wants to do; None or empty: anything.

    Attributes:
        model: name of the model or of its family, as typed.
        family: tracked family of the model.
        weights: method by the weights that it trains, for example ``qlora``.
        objective: the task, for example ``dpo``; ``sft`` if only ``weights`` is given.
        gpu_memory_gib: memory of the one GPU.
    """

    model: str | None = None
    family: Family | None = None
    weights: str | None = None
    objective: str | None = None
    gpu_memory_gib: float | None = None


@dataclass(frozen=True)
class NearRecipe:
    """A recipe of a library; the fields without a word here are columns of the table ``recipes``.

    Attributes:
        address: of this version of the file on GitHub.
        age_days: since the last change.
        differences: what differs from the task, in words; empty: nothing.
        steps: how much differs.
    """

    repository: str
    path: str
    kind: str
    address: str
    model: str
    family: str | None
    method: str | None
    task: str | None
    data_format: str | None
    gpus: int | None
    memory_gb: float | None
    hardware: str | None
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
    names = tuple(c.repository for c in select_candidates(load_domain(domain), repositories))
    view = _open_recipes(stores, names, as_of)
    families = {family.name: family for family in load_families()}
    by_library: dict[str, list[NearRecipe]] = {}
    read = set()
    for row in _read_rows(view):
        read.add(row["repository"])
        if row["path"] is not None:
            recipe = _compare(task, row, families, view.as_of)
            by_library.setdefault(recipe.repository, []).append(recipe)
    nearest = {name: tuple(sorted(recipes, key=_rank_of)[:most]) for name, recipes in by_library.items()}
    missing = {
        name: "no recipe in its tree" if name in read else "no data: run `advisor collect-docs`"
        for name in names
        if name not in nearest
    }
    order = sorted(nearest, key=lambda name: (_rank_of(nearest[name][0]), name.lower()))
    return Recipes(view.as_of, describe_task(task), {name: nearest[name] for name in order}, missing), view


def describe_task(task: Task) -> str:
    """Return a task in words."""
    parts = [
        task.family.name if task.family else "any model",
        task.weights or "any weights",
        task.objective or "any task",
    ]
    if task.gpu_memory_gib is not None:
        parts.append(f"one GPU with {task.gpu_memory_gib:g} GB")
    return ", ".join(parts)


def _rank_of(recipe: NearRecipe) -> tuple[int, int, int, str]:
    kinds: tuple[str, ...] = KINDS
    return recipe.steps, kinds.index(recipe.kind), recipe.age_days, recipe.path


def _open_recipes(stores: Sequence[Path], names: Sequence[str], as_of: date | None) -> FactsView:
    for path in stores:
        try:
            store = open_store(path)
        except SnapshotMissing:
            continue
        files = [file for name in names for file in store.files.get(name, ()) if file.startswith("recipes/")]
        if files:
            last_day = max(store.manifest["files"][file].get("read_on", str(store.as_of)) for file in files)
            known = [name for name in names if name in store.files]
            view = FactsView(store, tuple(known), as_of or max(store.as_of, date.fromisoformat(last_day)))
            if view.damages:
                raise FactsError("; ".join(map(str, view.damages)))
            return view
    raise FactsError(
        "no facts about recipes of these libraries: run `advisor collect-docs OWNER/NAME` for each of them"
    )


def _read_rows(view: FactsView) -> list[dict[str, Any]]:
    columns = (
        "repository, published_in, path, kind, family, model, method, task, data_format, gpus, memory_gb,"
        " hardware, added_on, changed_on, commit"
    )
    result = view.connection.execute(f"SELECT {columns} FROM recipes WHERE replaced_on IS NULL")
    return [dict(zip(columns.replace(" ", "").split(","), row, strict=True)) for row in fetch_rows(result)]


def _compare(task: Task, row: Mapping[str, Any], families: Mapping[str, Family], as_of: date) -> NearRecipe:
    values = dict(row)
    published_in = values.pop("published_in")
    differences = [
        *_compare_model(task, row, families),
        *_compare_method(task, row),
        *_compare_hardware(task, row),
    ]
    return NearRecipe(
        **values,
        address=f"https://github.com/{published_in}/blob/{row['commit']}/{_quote(str(row['path']))}",
        age_days=(as_of - values["changed_on"]).days,
        differences=tuple(words for _, words in differences),
        steps=sum(_STEPS[step] for step, _ in differences),
    )


def _quote(path: str) -> str:
    """Return a path as an address has it."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in path.encode())


def _compare_model(
    task: Task, row: Mapping[str, Any], families: Mapping[str, Family]
) -> list[tuple[str, str]]:
    if task.family is None or task.model is None:
        return []
    model, family = str(row["model"]), families.get(str(row["family"]))
    if family is None or family.name != task.family.name:
        is_near = family is not None and _series(family) == _series(task.family)
        return [("series" if is_near else "family", f"made for {model}, not for {task.family.name}")]
    own, other = (parse_parameters(name) or task.family.find_billions(name) for name in (task.model, model))
    if own and other and not 0.5 < own / other < 2:
        return [("size", f"made for {other:g} billion parameters, not for {own:g}")]
    return []


def _series(family: Family) -> tuple[str, str]:
    """Return the vendor and the first word of a family: Llama 3 and Llama 3.1 are of one series."""
    match = re.match(r"[A-Za-z]+", family.name)
    return family.vendor, match[0] if match else family.name


def _compare_method(task: Task, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    differences = []
    method, objective = row["method"], row["task"]
    if task.objective is not None and objective != task.objective:
        words = f"{objective}, not {task.objective}" if objective else "does not say its task"
        differences.append(("task" if objective else "silence", words))
    if task.weights is not None and method != task.weights:
        is_near = {method, task.weights} <= _LOW_RANK
        words = f"{method}, not {task.weights}" if method else "does not say which weights it trains"
        differences.append((("adapter" if is_near else "weights") if method else "silence", words))
    return differences


def _compare_hardware(task: Task, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    if task.gpu_memory_gib is None:
        return []
    differences = []
    gpus, memory = row["gpus"], row["memory_gb"]
    if isinstance(memory, float) and memory > task.gpu_memory_gib:
        differences.append(("hardware", f"says a GPU of {memory:g} GB, not {task.gpu_memory_gib:g} GB"))
    if isinstance(gpus, int) and gpus > 1:
        differences.append(("hardware", "for several GPUs" if gpus == 2 else f"for {gpus} GPUs"))
    return differences
