"""advisor collect-support: which models libraries support since when, from their histories."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import Day, StoreFolder, day_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-support")
def collect_support(
    repositories: Annotated[
        list[str], typer.Argument(help="owner/name, a URL, or the path of a local clone.")
    ],
    name: Annotated[
        str | None, typer.Option(help="owner/name of the one local clone given, if it cannot say.")
    ] = None,
    uploads: Annotated[
        Path | None,
        typer.Option(help="CSV of uploads to the index: repository, version, released_at; default: tags."),
    ] = None,
    store: StoreFolder = None,
    retrieved_on: Day = None,
) -> None:
    """Collect the days on which libraries first supported model families.

    The source tree of every commit is read, never imported. Example: advisor collect-support
    pytorch/torchtune
    """
    from advisor.collect.coverage.package import read_index
    from advisor.collect.coverage.transformers import load_architectures
    from advisor.collect.model_support import collect_support as run
    from advisor.domain.families import load_families
    from advisor.domain.files import data_folder
    from advisor.errors import EXIT_PARTIAL, CollectError, InputError

    if name and len(repositories) != 1:
        raise InputError("--name goes with exactly one repository")
    families = load_families()
    architectures = load_architectures(data_folder() / "architectures.csv")
    known = read_index(uploads) if uploads else {}
    failed = 0
    for where in repositories:
        try:
            run(
                where,
                store_or_default(store),
                data_home() / "git",
                families,
                architectures,
                retrieved_on=day_or_today(retrieved_on),
                repository=name,
                uploads=known,
                progress=lambda text: print(text, file=sys.stderr),
            )
        except CollectError as error:
            if len(repositories) == 1:
                raise
            failed += 1
            print(f"advisor: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(EXIT_PARTIAL)
