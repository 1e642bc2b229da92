"""advisor dashboard: the answer as one HTML file, and a picture of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.rank import Repositories, RequestOptions, exit_of
from advisor.cli.shared_options import takes

if TYPE_CHECKING:
    from collections.abc import Callable

    from advisor.advise import Request
    from advisor.model import Recommendation
    from advisor.report.dashboard.task import Task


@app.command()
@takes(RequestOptions)
def dashboard(
    asked: RequestOptions,
    repositories: Repositories = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the page.")] = Path(
        "report.html"
    ),
    months: Annotated[int, typer.Option(min=0, help="How many months the page looks back.")] = 72,
    plan: Annotated[
        Path | None, typer.Option(help="A run as TOML: the page sets it side by side in all libraries.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Also a picture of its top, by a local Chromium.")] = None,
) -> None:
    """Write the recommendation as one self-contained HTML file: no network, no server.

    Example: advisor dashboard -o report.html; advisor dashboard --goal independence --png report.png;
    advisor dashboard --plan run.toml
    """
    from advisor.facts import write_atomically

    request = asked.request(repositories)
    task = None
    if plan is not None:
        from advisor.cli.plan import task_of

        task = task_of(plan)
    answer, text = page(request, months, task)
    page_bytes = text.encode()
    write_to(output, lambda path: write_atomically(path, page_bytes))
    print(f"{output}: {len(page_bytes) / 1000:,.0f} kB")
    if png is not None:
        from advisor.cli.browser import take_picture

        take_picture(output, png)
        print(f"{png}: {png.stat().st_size / 1000:,.0f} kB")
    exit_of(answer)


def page(request: Request, months: int, task: Task | None = None) -> tuple[Recommendation, str]:
    """The answer and its page, with a task where there is one; a terminal sees progress on stderr."""
    from advisor.advise import read_request, recommend
    from advisor.history import look_back
    from advisor.report.dashboard import render

    def progress(done: int, whole: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == whole else ""
            print(f"\rlooking back: {done} of {whole} days", end=end, file=sys.stderr, flush=True)

    answer = recommend(request)
    timeline = look_back(read_request(request), months, progress)
    return answer, render(answer, timeline, request.requirements, task)


def write_to(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write(path)``.

    Raises:
        InputError: the path cannot be written.
    """
    from advisor.errors import InputError

    try:
        write(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
