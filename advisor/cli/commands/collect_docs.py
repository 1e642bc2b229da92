"""advisor collect-docs: the recipes and the documentation of libraries, from their histories."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-docs")
def collect_docs(
    repositories: Annotated[
        list[str], typer.Argument(help="Repositories: owner/name, a URL, or the path of a local clone.")
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Name of the one local clone, if it has no remote."),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="The library, if the one repository only holds its recipes, as unslothai/notebooks does for "
            "unslothai/unsloth.",
        ),
    ] = None,
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Collect the ready-made recipes and the state of the documentation.

    Reads configurations, scripts, notebooks, pages and source files of the whole history as text, and runs
    none of them. If a library keeps recipes in a repository of their own, it reads that one too.

    Examples:
      advisor collect-docs pytorch/torchtune unslothai/unsloth
      advisor collect-docs ./notebooks --name unslothai/notebooks --library unslothai/unsloth
    """
    from advisor.errors import EXIT_PARTIAL, CollectError, InputError

    if (name or library) and len(repositories) != 1:
        raise InputError("--name and --library need exactly one repository")
    folder, day = store_or_default(store), date_or_today(retrieved_on)
    failure_count = 0
    for where in repositories:
        try:
            _collect(where, folder, day, name, library)
        except CollectError as error:
            if len(repositories) == 1:
                raise
            failure_count += 1
            _show(f"advisor: {error}")
    if failure_count:
        raise typer.Exit(EXIT_PARTIAL)


def _collect(where: str, store: Path, day: date, name: str | None, library: str | None) -> None:
    """Collect the recipes of a library, those in other repositories too, and its documentation."""
    from advisor.collect.documentation import collect_documentation
    from advisor.collect.recipes import collect_recipes
    from advisor.domain.families import load_families
    from advisor.domain.recipe_words import load_words

    families, words, cache = load_families(), load_words(), data_home() / "git"
    own_name = collect_recipes(
        where,
        store,
        cache,
        words,
        families,
        retrieved_on=day,
        repository=name,
        library=library,
        progress=_show,
    )
    if library is not None:
        return
    collect_documentation(where, store, cache, retrieved_on=day, repository=name, progress=_show)
    if name is None:
        for also in words.find_layout(own_name).also:
            _collect(also, store, day, None, own_name)


def _show(text: str) -> None:
    print(text, file=sys.stderr)
