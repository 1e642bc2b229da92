"""A run file as the dashboard shows it: the task in every library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.cli.run_options import RunOptions, compose
from advisor.cli.run_progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.report.dashboard.task import Task


def task_of(file: Path) -> Task:
    """A run file's task in every library, as the dashboard shows it.

    Raises:
        InputError: the file, its data or its model cannot be used.
    """
    import shlex

    from advisor.report.dashboard.task import Side, Task
    from finetune import run
    from finetune.plan import side_by_side

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
