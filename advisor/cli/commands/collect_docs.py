"""advisor collect-docs: the recipes and the documentation of libraries, from their histories."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_each import LocalName, Repositories, check_one_place, collect_each, show_line
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-docs")
def collect_docs(
    repositories: Repositories,
    name: LocalName = None,
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
    none of them. If a library keeps recipes in a repository of their own, it reads that one too. A second
    run reads only new files.

    Examples:
      advisor collect-docs pytorch/torchtune unslothai/unsloth
      advisor collect-docs ./notebooks --name unslothai/notebooks --library unslothai/unsloth
    """
    check_one_place(repositories, name=name, library=library)
    folder, day = store_or_default(store), date_or_today(retrieved_on)
    collect_each(repositories, lambda where: _collect(where, folder, day, name, library))


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
        progress=show_line,
    )
    if library is not None:
        return
    collect_documentation(where, store, cache, retrieved_on=day, repository=name, progress=show_line)
    if name is None:
        for also in words.find_layout(own_name).also:
            _collect(also, store, day, None, own_name)
