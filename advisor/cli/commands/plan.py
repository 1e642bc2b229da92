"""advisor plan: show the run spec with origins, the native config and the costs, before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.run_options import (
    Data,
    Demo,
    EvalData,
    Fields,
    Model,
    Preset,
    RunOptions,
    SpecFile,
    Stack,
    compose_run,
)
from advisor.cli.run_output import print_findings, show_progress

if TYPE_CHECKING:
    from finetune.plan.all_stacks import StackTask
    from finetune.run import Plan


@app.command()
def plan(
    data: Data = None,
    model: Model = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    preset: Preset = None,
    spec: SpecFile = None,
    fields: Fields = None,
    demo: Demo = False,
    native: Annotated[bool, typer.Option("--native", help="Show only the native config.")] = False,
    all_stacks: Annotated[
        bool, typer.Option("--all-stacks", help="Show the same run in every stack, side by side.")
    ] = False,
) -> None:
    """Show what `advisor train` would do, and what it costs.

    Prints each field of the run spec with its origin, the native config of the stack, the memory, time
    and disk space that the run needs, and the findings about the data. Starts nothing.

    Examples:
      advisor plan --data mine.jsonl --model MODEL --preset gpu-poor
      advisor plan --data mine.jsonl --model MODEL --native --all-stacks
    """
    from rich.console import Console

    from finetune import run
    from finetune.plan import cost

    options = RunOptions(data, model, eval_data, stack, preset, spec, fields, demo)
    with show_progress() as callbacks:
        plan = run.plan_run(compose_run(options, callbacks).composed_spec, callbacks)
    if all_stacks:
        print("\n".join(_format_all_stacks(plan, native=native)))
        return
    if not native:
        print(_format_spec(plan))
    for name, text in plan.native_config.files.items():
        print(f"\n── native config: {name}\n{text}", end="")
    for deviation in plan.native_config.deviations:
        print(f"deviation: {deviation}")
    if native:
        return
    if recipe := _describe_recipe(plan):
        print(f"\n── nearest ready-made recipe of {plan.spec.stack}\n{recipe}")
    console = Console()
    print("\n── cost\n" + "\n".join(cost.describe_costs(plan)) + "\n\n── findings")
    print_findings(console, plan.findings)


def _describe_recipe(plan: Plan) -> str:
    """Return the library's own recipe to compare the native config with; "" without facts about recipes."""
    from advisor.answers.recipe_distance import Task
    from advisor.answers.recipes import find_recipes
    from advisor.cli.options import store_or_default
    from advisor.domain.families import load_families
    from advisor.domain.files import data_folder
    from advisor.domain.model_names import find_family
    from advisor.errors import FactsError, InputError
    from advisor.report.recipes import describe
    from finetune.stacks import load_stack

    model = plan.spec.model.base
    try:
        family = find_family(model, load_families())
    except InputError:
        family = None
    task = Task(model, family, plan.spec.method.name, "sft")
    stores = (store_or_default(None), data_folder() / "snapshots" / "finetuning")
    try:
        answer, _ = find_recipes(task, stores, repositories=(load_stack(plan.spec.stack).repository,))
    except FactsError:
        return ""
    return "\n".join(line for recipes in answer.nearest.values() for line in describe(recipes[0]))


def _format_all_stacks(plan: Plan, *, native: bool) -> list[str]:
    """Return a table with a row for each stack; with ``native`` each native config below it."""
    from advisor.report.tables import text_table
    from finetune.plan.all_stacks import render_for_stacks

    tasks = render_for_stacks(plan)
    rows = [
        [
            task.stack,
            str(task.lines),
            str(len(task.config.deviations)),
            _format_memory(task),
            " ".join(task.command),
        ]
        if task.config
        else [task.stack, "refused", "", "", task.refusal]
        for task in tasks
    ]
    header = ["library", "lines", "deviations", "peak GiB", "command, or what it cannot do"]
    lines = text_table(header, rows)
    for task in tasks:
        if task.change:
            options = " ".join(f"--set {name}={str(value).lower()}" for name, value in task.change.items())
            lines.append(f"to fit {task.stack} into memory: {options}")
        if task.config is None:
            continue
        lines += [f"deviation of {task.stack}: {deviation}" for deviation in task.config.deviations]
        if native:
            for name, text in task.config.files.items():
                lines += ["", f"── {task.stack}: {name}", text.rstrip()]
    return lines


def _format_memory(task: StackTask) -> str:
    """Return the predicted peak, and whether it fits."""
    if not task.peak_bytes:
        return "?"
    room = f"{task.peak_bytes / 2**30:.1f} of {task.room_bytes / 2**30:.1f}"
    return room if task.fits else f"{room}: does not fit"


def _format_spec(plan: Plan) -> str:
    from finetune.spec import iterate_leaves

    rows = [
        [name, "" if value is None else str(value), plan.composed_spec.origins[name]]
        for name, value in iterate_leaves(plan.spec.model_dump(mode="json"))
    ]
    names = max(len(row[0]) for row in rows)
    values = max(len(row[1]) for row in rows)
    return "\n".join(f"{name:<{names}}  {value:<{min(values, 40)}}  {origin}" for name, value, origin in rows)
