"""advisor collect-recipes: which ready-made recipes libraries have, and since when, from their histories."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-recipes")
def collect_recipes(
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
    """Collect the ready-made recipes of libraries.

    Reads configurations, scripts, notebooks and pages of every commit as text, and runs none of them. A
    library whose recipes are in a repository of their own gets them from there too.

    Examples:
      advisor collect-recipes pytorch/torchtune unslothai/unsloth
      advisor collect-recipes ./notebooks --name unslothai/notebooks --library unslothai/unsloth
    """
    from advisor.collect import recipes
    from advisor.domain.families import load_families
    from advisor.domain.recipe_words import load_words
    from advisor.errors import EXIT_PARTIAL, CollectError, InputError

    if (name or library) and len(repositories) != 1:
        raise InputError("--name and --library need exactly one repository")
    families, words = load_families(), load_words()
    tasks = [(where, library) for where in repositories]
    if library is None and name is None:
        tasks += [(also, where) for where in repositories for also in words.find_layout(where).also]
    failure_count = 0
    for where, owner in tasks:
        try:
            recipes.collect_recipes(
                where,
                store_or_default(store),
                data_home() / "git",
                words,
                families,
                retrieved_on=date_or_today(retrieved_on),
                repository=name,
                library=owner,
                progress=lambda text: print(text, file=sys.stderr),
            )
        except CollectError as error:
            if len(tasks) == 1:
                raise
            failure_count += 1
            print(f"advisor: {error}", file=sys.stderr)
    if failure_count:
        raise typer.Exit(EXIT_PARTIAL)
