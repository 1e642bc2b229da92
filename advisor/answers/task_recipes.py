"""The recipe for the user's task as a measurement, and what the answer says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from advisor.answers.question import Question
from advisor.answers.recipe_distance import Task, describe_task
from advisor.answers.recipes import NearRecipe, list_nearest, read_task
from advisor.errors import UnknownName
from advisor.measure.definitions import RECIPE_STEPS
from advisor.model import Measurement, Recommendation

NO_RECIPE_STEPS = 12
"""What a library without any recipe counts as: the worst end of the scale."""


def weighs_recipes(question: Question) -> bool:
    """Whether a criterion of the question rests on the recipe for the task."""
    return any(s.metric == RECIPE_STEPS.name for c in question.domain.criteria for s in c.scales)


def measure_recipes(question: Question) -> dict[str, Measurement]:
    """Return repository → the steps from its nearest recipe to the task of the question."""
    try:
        task = _read_task(question)
    except UnknownName as error:
        names = [name for view in question.views for name in view.repositories]
        return {name: _unavailable(name, str(error)) for name in names}
    measurements = {}
    for view in question.views:
        nearest, repositories_read = list_nearest(task, view)
        for name in view.repositories:
            if name in nearest:
                measurements[name] = _measure(name, nearest[name][0])
            elif name in repositories_read:
                steps, reason = float(NO_RECIPE_STEPS), "no recipe in its tree"
                measurements[name] = Measurement(
                    name, RECIPE_STEPS.name, "measured", steps, steps, steps, 0, 1.0, reason=reason
                )
            else:
                measurements[name] = _unavailable(name, "no data: run `advisor collect-docs`")
    return measurements


def describe_recipes(question: Question, answer: Recommendation) -> Recommendation:
    """Add what the choice has for the task: a reason if a recipe fits, else a doubt with the nearest one."""
    goal = question.domain.goals[question.goal]
    if goal.asks_task and not question.requirements.has_task:
        ask = (
            "this goal weighs the ready-made recipes for your task, and you named none: add --model, "
            "--method and --gpu-memory"
        )
        return replace(answer, doubts=(ask, *answer.doubts))
    if not weighs_recipes(question) or answer.choice is None:
        return answer
    try:
        task = _read_task(question)
    except UnknownName as error:
        return replace(answer, doubts=(f"no recipe was looked for: {error}", *answer.doubts))
    nearest: Mapping[str, tuple[NearRecipe, ...]] = {}
    for view in question.views:
        nearest = {**nearest, **list_nearest(task, view)[0]}
    own = nearest.get(answer.choice, ())
    if own and own[0].steps == 0:
        reason = f"a ready recipe fits the task as it is ({describe_task(task)}): {own[0].address}"
        return replace(answer, reasons=(reason, *answer.reasons))
    doubt = f"no ready recipe for {describe_task(task)}"
    if own:
        doubt += f"; nearest: {own[0].path} ({'; '.join(own[0].differences)}), {own[0].address}"
    better = [name.partition("/")[2] for name, recipes in nearest.items() if recipes[0].steps == 0]
    if better:
        doubt += f"; {', '.join(better)} {'has' if len(better) == 1 else 'have'} one"
    return replace(answer, doubts=(doubt, *answer.doubts))


def _read_task(question: Question) -> Task:
    requirements = question.requirements
    methods = [requirements.method] if requirements.method else []
    return read_task(requirements.model, methods, requirements.gpu_memory_gib)


def _measure(name: str, recipe: NearRecipe) -> Measurement:
    steps = float(recipe.steps)
    return Measurement(
        name,
        RECIPE_STEPS.name,
        "measured",
        steps,
        steps,
        steps,
        n=1,
        evidence_share=1.0,
        sources=(recipe.address,),
        first_day=recipe.added_on,
        last_day=recipe.changed_on,
        reason="; ".join(recipe.differences),
    )


def _unavailable(name: str, reason: str) -> Measurement:
    return Measurement(name, RECIPE_STEPS.name, "unavailable", reason=reason)
