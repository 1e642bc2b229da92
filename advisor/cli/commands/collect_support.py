"""advisor collect-support: which model families libraries support, and since when, from their histories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_each import LocalName, Repositories, check_one_place, collect_each, show_line
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-support")
def collect_support(
    repositories: Repositories,
    name: LocalName = None,
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

    check_one_place(repositories, name=name)
    families = load_families()
    architectures = load_architectures(data_folder() / "architectures.csv")
    uploads_by_repository = read_uploads(uploads) if uploads else {}
    collect_each(
        repositories,
        lambda where: model_support.collect_support(
            where,
            store_or_default(store),
            data_home() / "git",
            families,
            architectures,
            retrieved_on=date_or_today(retrieved_on),
            repository=name,
            uploads=uploads_by_repository,
            progress=show_line,
        ),
    )
