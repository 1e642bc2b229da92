"""advisor dashboard: write the recommendation as an HTML page, and a picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_missing import collect_missing
from advisor.cli.options import (
    AsOf,
    Candidates,
    Collect,
    Domain,
    Goal,
    RequestOptions,
    Rules,
    Store,
    Weights,
    exit_with_status,
)
from advisor.cli.output import check_output

if TYPE_CHECKING:
    from advisor.report.dashboard.task import Task


@app.command()
def dashboard(
    domain: Domain = None,
    goal: Goal = None,
    as_of: AsOf = None,
    weights: Weights = None,
    rules: Rules = None,
    store: Store = None,
    repositories: Candidates = None,
    collect: Collect = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="HTML file to write.", callback=check_output),
    ] = Path("report.html"),
    months: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Number of past months that the page shows. With more than 60 candidates: at most 11.",
        ),
    ] = 72,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run spec (TOML): the page shows this run in every stack."),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write a picture of the top of the page. Needs Chromium or Chrome.",
            callback=check_output,
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write a picture of 1200 x 630 pixels for links to the page. Needs Chromium or Chrome.",
            callback=check_output,
        ),
    ] = None,
    badge: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write an SVG badge for a README.", callback=check_output),
    ] = None,
) -> None:
    """Write the recommendation as one HTML file.

    The file contains everything that it shows, and needs no network and no server.

    Examples:
      advisor dashboard -o report.html
      advisor dashboard --goal independence --png report.png
      advisor dashboard --badge choice.svg --card choice.png
      advisor dashboard --plan run.toml
    """
    from advisor.cli.dashboard_page import render_page
    from advisor.errors import EXIT_PARTIAL
    from advisor.files import write_atomically
    from advisor.report import badge as badge_report

    options = RequestOptions(domain, goal, as_of, weights, rules, store)
    request = options.build_request(repositories)
    is_complete = not collect or collect_missing(request, store)
    task = _read_task(plan) if plan is not None else None
    answer, text = render_page(request, months, task)
    page = text.encode()
    write_atomically(output, page)
    _report_size(output)
    if badge is not None:
        write_atomically(badge, badge_report.render(answer).encode())
        _report_size(badge)
    if png is not None or card is not None:
        from advisor.cli.browser import CARD, SCREEN, take_picture

        for picture, shape in ((png, SCREEN), (card, CARD)):
            if picture is not None:
                take_picture(output, picture, shape)
                _report_size(picture)
    if not is_complete:
        raise typer.Exit(EXIT_PARTIAL)
    exit_with_status(answer)


def _report_size(file: Path) -> None:
    print(f"{file}: {file.stat().st_size / 1000:,.0f} kB")


def _read_task(file: Path) -> Task:
    """Return the task of a run file as each stack's native config.

    Raises:
        InputError: the file, its data or its model cannot be used.
    """
    import shlex

    from advisor.cli.run_options import RunOptions, compose_run
    from advisor.cli.run_output import show_progress
    from advisor.report.dashboard.task import Side, Task
    from finetune import run
    from finetune.plan import all_stacks

    with show_progress() as callbacks:
        plan = run.plan_run(compose_run(RunOptions(spec=file), callbacks).composed_spec, callbacks)
    sides = []
    for side in all_stacks.render_for_stacks(plan):
        if side.config is None:
            sides.append(Side(side.stack, refusal=side.refusal))
            continue
        start = shlex.join(["advisor", "train", "--spec", str(file), "--stack", side.stack])
        files = tuple(side.config.files.items())
        sides.append(Side(side.stack, files, start, shlex.join(side.command), side.config.deviations))
    return Task(all_stacks.task_title(plan), tuple(sides))
