"""advisor dashboard: the answer as one HTML file, and a picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import (
    AsOf,
    Domain,
    Goal,
    Repositories,
    RequestOptions,
    Rules,
    Set,
    Store,
    exit_of,
)
from advisor.cli.page import page, write_to


@app.command()
def dashboard(
    domain: Domain = "finetuning",
    goal: Goal = None,
    as_of: AsOf = None,
    set_: Set = None,
    rules: Rules = None,
    store: Store = None,
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
    options = RequestOptions(domain, goal, as_of, set_, rules, store)
    from advisor.files import write_atomically

    request = options.request(repositories)
    task = None
    if plan is not None:
        from advisor.cli.task import task_of

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
