"""advisor collect: facts from repositories into the user's store."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app

StoreFolder = Annotated[
    Path | None, typer.Option("--store", help="Folder of facts; default: your own, see README.")
]
Day = Annotated[str | None, typer.Option(help="Day on which the source was read; default: today.")]


def data_home() -> Path:
    """The user's own folder (XDG), for facts and for cloned histories."""
    import os

    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "advisor"


def store_or_default(store: Path | None) -> Path:
    """The given store, or the user's own."""
    return store or data_home() / "facts"


def day_or_today(text: str | None) -> date:
    """The given day, or today in UTC: the one clock of the program."""
    from advisor.cli.rank import parse_day

    return parse_day(text) or datetime.now(UTC).date()


@app.command()
def collect(
    repositories: Annotated[
        list[str], typer.Argument(help="owner/name, a URL, or the path of a local clone.")
    ],
    git_only: Annotated[bool, typer.Option("--git-only", help="History alone: no token, no API.")] = False,
    name: Annotated[
        str | None, typer.Option(help="owner/name of the one local clone given, if it cannot say.")
    ] = None,
    store: StoreFolder = None,
    retrieved_on: Day = None,
) -> None:
    """Collect facts from git histories: commits, releases, change requests, declared status.

    A remote history is cloned without file contents into the user's cache and only fetched
    afterwards. Example: advisor collect huggingface/trl --git-only
    """
    from advisor.collect.git import collect as run
    from advisor.errors import EXIT_PARTIAL, CollectError, InputError

    if not git_only:
        raise InputError("collecting from the GitHub API is not built yet; add --git-only")
    if name and len(repositories) != 1:
        raise InputError("--name goes with exactly one repository")
    failed = 0
    for where in repositories:
        try:
            run(
                where,
                store_or_default(store),
                data_home() / "git",
                retrieved_on=day_or_today(retrieved_on),
                repository=name,
                progress=lambda text: print(text, file=sys.stderr),
            )
        except CollectError as error:
            if len(repositories) == 1:
                raise
            failed += 1
            print(f"advisor: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(EXIT_PARTIAL)
