"""advisor plan: the whole spec with origins, the native config and what it will cost, before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.shared_options import takes
from advisor.cli.train import RunOptions, compose, progress

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.report.dashboard.task import Task
    from finetune.run import Plan


@app.command()
@takes(RunOptions)
def plan(
    asked: RunOptions,
    native: Annotated[bool, typer.Option("--native", help="The native config alone.")] = False,
    all_stacks: Annotated[bool, typer.Option("--all-stacks", help="The same task in every library.")] = False,
) -> None:
    """Show the spec and where each value comes from, the native config, memory, time and disk.

    Nothing is started. Examples: advisor plan --data mine.jsonl --model MODEL --preset gpu-poor; advisor
    plan --native --all-stacks --data mine.jsonl --model MODEL
    """
    from rich.console import Console

    from advisor.cli.preview import findings
    from finetune import cost, run

    with progress() as watch:
        made = run.plan(compose(asked, watch).composed, watch)
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
    from finetune.side_by_side import sides

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


def task_of(file: Path) -> Task:
    """A run file's task in every library, as the dashboard shows it.

    Raises:
        InputError: the file, its data or its model cannot be used.
    """
    import shlex

    from advisor.report.dashboard.task import Side, Task
    from finetune import run, side_by_side

    with progress() as watch:
        asked = compose(RunOptions(spec=file), watch)
        made = run.plan(asked.composed, watch)
    shown = []
    for side in side_by_side.sides(made):
        starts = shlex.join(["advisor", "train", "--spec", str(file), "--stack", side.stack])
        if side.rendered is None:
            shown.append(Side(side.stack, refused=side.refused))
        else:
            files, told = tuple(side.rendered.files.items()), side.rendered.deviations
            shown.append(Side(side.stack, files, starts, shlex.join(side.command), told))
    return Task(side_by_side.title(made), tuple(shown))


def _spec(made: Plan) -> str:
    from finetune.spec import leaves

    rows = [
        [name, "" if value is None else str(value), made.composed.origins[name]]
        for name, value in leaves(made.spec.model_dump(mode="json"))
    ]
    names = max(len(row[0]) for row in rows)
    values = max(len(row[1]) for row in rows)
    return "\n".join(f"{name:<{names}}  {value:<{min(values, 40)}}  {origin}" for name, value, origin in rows)
