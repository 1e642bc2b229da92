"""advisor collect-support: which model families libraries support, and since when, from their histories."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-support")
def collect_support(
    repositories: Annotated[
        list[str], typer.Argument(help="Repositories: owner/name, a URL, or the path of a local clone.")
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Name of the one local clone, if it has no remote."),
    ] = None,
    uploads: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV of the uploads to the package index: repository, version, released_at. "
            "Default: release dates from tags.",
        ),
    ] = None,
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Collect since when libraries support model families.

    Reads the source tree of every commit, and never imports it.

    Examples:
      advisor collect-support pytorch/torchtune
    """
    from advisor.collect import model_support
    from advisor.collect.coverage.package import read_uploads
    from advisor.collect.coverage.transformers import load_architectures
    from advisor.domain.families import load_families
    from advisor.domain.files import data_folder
    from advisor.errors import EXIT_PARTIAL, CollectError, InputError

    if name and len(repositories) != 1:
        raise InputError("--name needs exactly one repository")
    families = load_families()
    architectures = load_architectures(data_folder() / "architectures.csv")
    uploads_by_repository = read_uploads(uploads) if uploads else {}
    failure_count = 0
    for where in repositories:
        try:
            model_support.collect_support(
                where,
                store_or_default(store),
                data_home() / "git",
                families,
                architectures,
                retrieved_on=date_or_today(retrieved_on),
                repository=name,
                uploads=uploads_by_repository,
                progress=lambda text: print(text, file=sys.stderr),
            )
        except CollectError as error:
            if len(repositories) == 1:
                raise
            failure_count += 1
            print(f"advisor: {error}", file=sys.stderr)
    if failure_count:
        raise typer.Exit(EXIT_PARTIAL)
