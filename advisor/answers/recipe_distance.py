"""How far a ready-made recipe is from a task: the steps that change it, and what differs in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.decide.training_memory import parse_parameters
from advisor.domain.families import Family
from advisor.domain.recipe import Recipe

WEIGHTS = ("full", "freeze", "lora", "qlora", "dora", "qdora", "oft", "adapter")
"""Methods by the weights that they train; every other method is a task, with its own loss and data."""
_LOW_RANK = frozenset({"lora", "qlora", "dora", "qdora"})

# What a user must change in a recipe, in steps: another task needs other data and another loss; another
# family needs another chat template; the rest are values of the same file. The fewest steps are nearest.
_STEPS = {
    "pretraining": 7,
    "task": 6,
    "family": 4,
    "series": 2,
    "weights": 2,
    "adapter": 1,
    "size": 1,
    "hardware": 1,
    "silence": 1,
}
_UNKNOWN_GAP = 10_000  # days: a model of no tracked family comes after all others
_SAME_SIZE = 2  # up to this ratio of parameters, the batch and the memory of a recipe hold


@dataclass(frozen=True)
class Task:
    """What the user wants to do; None: anything.

    Attributes:
        model: name of the model or of its family, as typed.
        family: tracked family of the model.
        weights: method by the weights that it trains, for example ``qlora``.
        objective: the task, for example ``dpo``.
        gpu_memory_gib: memory of the one GPU.
    """

    model: str | None = None
    family: Family | None = None
    weights: str | None = None
    objective: str | None = None
    gpu_memory_gib: float | None = None


@dataclass(frozen=True)
class Distance:
    """How much differs.

    Attributes:
        steps: what a user must change, counted.
        differences: the same in words.
        age_gap_days: between the releases of the two families: the next one is nearer.
        billions: parameters of the recipe's model: a small one is easier to try; 0 if its name does not say.
    """

    steps: int
    differences: tuple[str, ...]
    age_gap_days: int = 0
    billions: float = 0


def measure_distance(task: Task, recipe: Recipe, families: Mapping[str, Family]) -> Distance:
    """Return the distance of a recipe from a task.

    Args:
        task: what the user wants to do.
        recipe: a recipe of a library.
        families: name → tracked family.
    """
    differences = [
        *_compare_model(task, recipe, families),
        *_compare_method(task, recipe),
        *_compare_hardware(task, recipe),
    ]
    steps = sum(_STEPS[step] for step, _ in differences)
    family = families.get(recipe.family or "")
    if task.family is None:
        gap = 0
    else:
        gap = abs((family.released - task.family.released).days) if family else _UNKNOWN_GAP
    return Distance(steps, tuple(words for _, words in differences), gap, parse_parameters(recipe.model) or 0)


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


def _compare_model(task: Task, recipe: Recipe, families: Mapping[str, Family]) -> list[tuple[str, str]]:
    if task.family is None or task.model is None:
        return []
    family = families.get(recipe.family or "")
    if family is None or family.name != task.family.name:
        is_near = family is not None and _series(family) == _series(task.family)
        return [("series" if is_near else "family", f"made for {recipe.model}, not for {task.family.name}")]
    own, other = (
        parse_parameters(name) or task.family.find_billions(name) for name in (task.model, recipe.model)
    )
    if own and other and not 1 / _SAME_SIZE < own / other < _SAME_SIZE:
        return [("size", f"made for {other:g} billion parameters, not for {own:g}")]
    return []


def _series(family: Family) -> tuple[str, str]:
    """Return the vendor and the first word of a family: Llama 3 and Llama 3.1 are of one series."""
    match = re.match(r"[A-Za-z]+", family.name)
    return family.vendor, match[0] if match else family.name


def _compare_method(task: Task, recipe: Recipe) -> list[tuple[str, str]]:
    differences = []
    if task.objective is not None and recipe.task != task.objective:
        words = f"{recipe.task}, not {task.objective}" if recipe.task else "does not say its task"
        step = "pretraining" if recipe.task == "pretraining" else "task" if recipe.task else "silence"
        differences.append((step, words))
    if task.weights is not None and recipe.method is None:
        differences.append(("silence", "does not say which weights it trains"))
    elif task.weights is not None and recipe.method != task.weights:
        is_near = {recipe.method, task.weights} <= _LOW_RANK
        differences.append(("adapter" if is_near else "weights", f"{recipe.method}, not {task.weights}"))
    return differences


def _compare_hardware(task: Task, recipe: Recipe) -> list[tuple[str, str]]:
    there = task.gpu_memory_gib
    if there is None:
        return []
    differences = []
    if recipe.memory_gb is not None and recipe.memory_gb > there:
        differences.append(("hardware", f"says a GPU of {recipe.memory_gb:g} GB, not {there:g} GB"))
    if recipe.gpus is not None and recipe.gpus > 1:
        differences.append(
            ("hardware", "for several GPUs" if recipe.gpus == 2 else f"for {recipe.gpus} GPUs")
        )
    return differences
