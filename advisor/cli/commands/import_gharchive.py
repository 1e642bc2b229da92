"""advisor import-gharchive: import history from GH Archive, for the months that it captured well."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.messages import shows_progress
from advisor.cli.options import OwnStore, store_or_default

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from advisor.collect.gharchive import Capture


@app.command("import-gharchive")
def import_gharchive(
    files: Annotated[
        list[Path], typer.Argument(help="Hourly files of GH Archive, for example 2025-03-01-15.json.gz.")
    ],
    repos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="List of repositories, one a line. Default: the candidates of the domain.",
        ),
    ] = None,
    domain: Annotated[
        str, typer.Option(metavar="DOMAIN", help="Domain whose candidates to import without --repos.")
    ] = "finetuning",
    store: OwnStore = None,
    min_capture: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Smallest share of the events a month must have."),
    ] = 0.9,
    accept_unknown_rate: Annotated[
        bool, typer.Option("--unchecked", help="Also import months whose completeness cannot be checked.")
    ] = False,
) -> None:
    """Import issues, stars and more from GH Archive.

    Imports issues, change requests, stars, releases and pushes. Refuses a type of event in a month if too
    few of its events were captured, and shows the reason; gharchive.json in the store has all rates. To
    resume after an interruption, run the same command again.

    Examples:
      advisor import-gharchive 2024-*.json.gz --repos list.txt
    """
    from advisor.collect import gharchive
    from advisor.collect.gharchive import capture
    from advisor.errors import EXIT_PARTIAL
    from advisor.files import write_atomically

    folder = store_or_default(store)
    repositories = _read_repositories(repos, domain)
    events_folder = gharchive.find_folder(folder)
    events = gharchive.stage_events(files, events_folder, repositories, _make_progress())
    with capture.open_events(events, folder, sorted(set(repositories.values()))) as db:
        captures = gharchive.measure_captures(db, min_capture, accept_unknown_rate=accept_unknown_rate)
        row_counts = gharchive.write_facts(db, folder, captures, gharchive.SOURCE)
    rows = [{**c.__dict__, "month": c.month.isoformat()[:7]} for c in captures]
    write_atomically(folder / "gharchive.json", (json.dumps(rows, indent=1) + "\n").encode())
    print("\n".join(_format_captures(captures)))
    counts = ", ".join(f"{count} {kind}" for kind, count in row_counts.items()) or "nothing"
    print(f"written: {counts}", file=sys.stderr)
    if not all(c.is_enough for c in captures):
        raise typer.Exit(EXIT_PARTIAL)


def _read_repositories(repos: Path | None, domain: str) -> dict[str, str]:
    """Return name on GitHub, present or former → repository in the store."""
    if repos is not None:
        from advisor.cli.repository_list import read_list

        return {name: name for name in read_list(repos)}
    from advisor.domain.domain import load_domain

    candidates = load_domain(domain).candidates
    return {name: c.repository for c in candidates for name in (c.repository, *c.formerly)}


def _format_captures(captures: Sequence[Capture]) -> list[str]:
    from advisor.report.tables import text_table

    header = ["month", "events", "captured", "hours", "imported"]
    rows = [
        [
            f"{c.month:%Y-%m}",
            c.type,
            "?" if c.rate is None else f"{c.rate:.0%}",
            f"{c.hours:.0%}",
            "yes" if c.is_enough else f"no: {c.why}",
        ]
        for c in captures
    ]
    return text_table(header, rows)


def _make_progress() -> Callable[[int, int], None]:
    """Return a function that shows a bar on a terminal, and in a pipe a line for each tenth."""
    if shows_progress():
        from rich.console import Console
        from rich.progress import Progress

        bars = Progress(console=Console(stderr=True), transient=True)
        task = bars.add_task("hours", total=None)
        bars.start()

        def move_bar(count: int, total: int) -> None:
            bars.update(task, total=total, completed=count)
            if count == total:
                bars.stop()

        return move_bar
    last_tenth = -1

    def print_line(count: int, total: int) -> None:
        nonlocal last_tenth
        if 10 * count // total > last_tenth:
            last_tenth = 10 * count // total
            print(f"{count} of {total} hours read", file=sys.stderr)

    return print_line
