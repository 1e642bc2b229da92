"""advisor collect-docs: the recipes and the documentation of libraries, from their histories."""

from __future__ import annotations

import sys
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
    from advisor.collect.documentation import collect_documentation
    from advisor.collect.recipes import collect_recipes
    from advisor.domain.families import load_families
    from advisor.domain.recipe_words import load_words
    from advisor.errors import EXIT_PARTIAL, CollectError, InputError

    if (name or library) and len(repositories) != 1:
        raise InputError("--name and --library need exactly one repository")
    families, words = load_families(), load_words()
    folder, cache, day = store_or_default(store), data_home() / "git", date_or_today(retrieved_on)

    def show(text: str) -> None:
        print(text, file=sys.stderr)

    def collect(where: str, owner: str | None) -> None:
        own_name = collect_recipes(
            where,
            folder,
            cache,
            words,
            families,
            retrieved_on=day,
            repository=name,
            library=owner,
            progress=show,
        )
        if owner is not None:
            return
        collect_documentation(where, folder, cache, retrieved_on=day, repository=name, progress=show)
        if name is None:
            for also in words.find_layout(own_name).also:
                collect(also, own_name)

    failure_count = 0
    for where in repositories:
        try:
            collect(where, library)
        except CollectError as error:
            if len(repositories) == 1:
                raise
            failure_count += 1
            show(f"advisor: {error}")
    if failure_count:
        raise typer.Exit(EXIT_PARTIAL)
