"""advisor plan: the whole spec with origins, the native config and what it will cost, before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.run_options import Data, Demo, EvalData, File, Model, Preset, RunOptions, Set, Stack, compose
from advisor.cli.run_progress import progress

if TYPE_CHECKING:
    from finetune.run import Plan


@app.command()
def plan(
    data: Data = None,
    model: Model = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    preset: Preset = None,
    spec: File = None,
    set_: Set = None,
    demo: Demo = False,
    native: Annotated[bool, typer.Option("--native", help="The native config alone.")] = False,
    all_stacks: Annotated[bool, typer.Option("--all-stacks", help="The same task in every library.")] = False,
) -> None:
    """Show the spec and where each value comes from, the native config, memory, time and disk.

    Nothing is started. Examples: advisor plan --data mine.jsonl --model MODEL --preset gpu-poor; advisor
    plan --native --all-stacks --data mine.jsonl --model MODEL
    """
    options = RunOptions(data, model, eval_data, stack, preset, spec, set_, demo)
    from rich.console import Console

    from advisor.cli.findings import findings
    from finetune import run
    from finetune.plan import cost

    with progress() as watch:
        made = run.plan(compose(options, watch).composed, watch)
    if all_stacks:
        print("\n".join(_all(made, native=native)))
        return
    if not native:
        print(_spec(made))
    for name, text in made.rendered.files.items():
        print(f"\n── native config: {name}\n{text}", end="")
    for deviation in made.rendered.deviations:
        print(f"deviation: {deviation}")
    if native:
        return
    console = Console()
    print("\n── cost\n" + "\n".join(cost.lines(made)) + "\n\n── findings")
    findings(console, made.found)


def _all(made: Plan, *, native: bool) -> list[str]:
    """The task in every library: a table to glance at; with ``native`` each config below it."""
    from advisor.report.text import table
    from finetune.plan.side_by_side import sides

    found = sides(made)
    rows = [
        [s.stack, str(s.lines), str(len(s.rendered.deviations)), " ".join(s.command)]
        if s.rendered
        else [s.stack, "refused", "", s.refused]
        for s in found
    ]
    told = table(["library", "lines", "deviations", "command, or what it cannot do"], rows)
    for side in found:
        if side.rendered is None:
            continue
        told += [f"deviation of {side.stack}: {one}" for one in side.rendered.deviations]
        if native:
            for name, text in side.rendered.files.items():
                told += ["", f"── {side.stack}: {name}", text.rstrip()]
    return told


def _spec(made: Plan) -> str:
    from finetune.spec import leaves

    rows = [
        [name, "" if value is None else str(value), made.composed.origins[name]]
        for name, value in leaves(made.spec.model_dump(mode="json"))
    ]
    names = max(len(row[0]) for row in rows)
    values = max(len(row[1]) for row in rows)
    return "\n".join(f"{name:<{names}}  {value:<{min(values, 40)}}  {origin}" for name, value, origin in rows)
