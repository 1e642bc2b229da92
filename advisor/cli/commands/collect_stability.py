"""advisor collect-stability: which public names each release of a library added, removed or changed."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_each import LocalName, check_one_place, collect_each, show_line
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default
from advisor.files import data_home


@app.command("collect-stability")
def collect_stability(
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            help="Repositories: owner/name, a URL, or the path of a local clone. "
            "Default: all candidates of the domain."
        ),
    ] = None,
    domain: Annotated[
        str, typer.Option(metavar="DOMAIN", help="Domain whose candidates to read if you name none.")
    ] = "finetuning",
    name: LocalName = None,
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Collect which public names each release added, removed or changed, for `advisor upgrade`.

    Reads the Python files of each release, and never imports them. A second run reads only new releases.

    Examples:
      advisor collect-stability huggingface/trl
      advisor collect-stability --domain web-frameworks
    """
    from advisor.collect.public_api import collect_api
    from advisor.domain.domain import load_domain

    check_one_place(repositories or [], name=name)
    packages = {candidate.repository: candidate.package for candidate in load_domain(domain).candidates}
    collect_each(
        repositories or list(packages),
        lambda where: collect_api(
            where,
            store_or_default(store),
            data_home() / "git",
            retrieved_on=date_or_today(retrieved_on),
            repository=name,
            package=packages.get(name or where),
            progress=show_line,
            warn=lambda text: show_line(f"note: {text}"),
        ),
    )
