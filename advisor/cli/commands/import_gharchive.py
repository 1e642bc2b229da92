"""advisor import-gharchive: history from GH Archive, where enough of it was captured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.options import StoreFolder, store_or_default

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from advisor.collect.gharchive import Capture


@app.command("import-gharchive")
def import_gharchive(
    files: Annotated[list[Path], typer.Argument(help="Hourly files, as 2025-03-01-15.json.gz.")],
    repos: Annotated[
        Path | None, typer.Option(help="A list of repositories; default: the domain's candidates.")
    ] = None,
    domain: Annotated[str, typer.Option(help="Whose candidates, if there is no list.")] = "finetuning",
    store: StoreFolder = None,
    min_capture: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the events that a month must hold.")
    ] = 0.9,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Take also what can be compared with nothing.")
    ] = False,
) -> None:
    """Import issues, change requests, stars, releases and pushes from GH Archive.

    A month of which too little was captured is refused, type by type, with the reason; the rates stand in
    gharchive.json in the store. An interrupted import goes on where it stopped. Example: advisor
    import-gharchive 2024-*.json.gz --repos list.txt
    """
    from advisor.collect import gharchive
    from advisor.collect.gharchive import gate
    from advisor.errors import EXIT_PARTIAL
    from advisor.files import write_atomically

    folder = store_or_default(store)
    wanted = _wanted(repos, domain)
    staged = gharchive.stage(files, folder, wanted, _teller())
    with gate.connect(staged, folder, sorted(set(wanted.values()))) as db:
        found = gharchive.captures(db, min_capture, takes_unchecked=unchecked)
        written = gharchive.write_facts(db, folder, found, gharchive.SOURCE)
    rows = [{**c.__dict__, "month": c.month.isoformat()[:7]} for c in found]
    write_atomically(folder / "gharchive.json", (json.dumps(rows, indent=1) + "\n").encode())
    print("\n".join(_table(found)))
    told = ", ".join(f"{n} {kind}" for kind, n in written.items()) or "nothing"
    print(f"written: {told}", file=sys.stderr)
    if not all(c.is_enough for c in found):
        raise typer.Exit(EXIT_PARTIAL)


def _wanted(repos: Path | None, domain: str) -> dict[str, str]:
    """Name on GitHub, present or former → repository in the store."""
    if repos is not None:
        from advisor.cli.repository_list import read_list

        return {name: name for name in read_list(repos)}
    from advisor.domain.domain import load_domain

    candidates = load_domain(domain).candidates
    return {name: c.repository for c in candidates for name in (c.repository, *c.formerly)}


def _table(found: Sequence[Capture]) -> list[str]:
    from advisor.report.text import table

    header = ["month", "events", "captured", "hours", "taken"]
    rows = [
        [
            f"{c.month:%Y-%m}",
            c.type,
            "?" if c.rate is None else f"{c.rate:.0%}",
            f"{c.hours:.0%}",
            "yes" if c.is_enough else f"no: {c.why}",
        ]
        for c in found
    ]
    return table(header, rows)


def _teller() -> Callable[[int, int], None]:
    """A bar on a terminal; in a pipe a line for each tenth."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        bars = Progress(console=Console(stderr=True), transient=True)
        task = bars.add_task("hours", total=None)
        bars.start()

        def show(done: int, total: int) -> None:
            bars.update(task, total=total, completed=done)
            if done == total:
                bars.stop()

        return show
    told = [-1]

    def say(done: int, total: int) -> None:
        if 10 * done // total > told[0]:
            told[0] = 10 * done // total
            print(f"{done} of {total} hours are read", file=sys.stderr)

    return say
