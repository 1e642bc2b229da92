"""advisor coverage: which library supports which models since when."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import Format, Store, chosen_store, parse_day


class Route(StrEnum):
    """What counts as support."""

    any = "any"
    main = "main"


@app.command()
def coverage(
    repositories: Annotated[
        list[str] | None, typer.Argument(help="Show only these (owner/name or name).")
    ] = None,
    domain: Annotated[str, typer.Option(help="A bundled domain or a TOML file.")] = "finetuning",
    as_of: Annotated[str | None, typer.Option(help="As one could have known on that day.")] = None,
    vendor: Annotated[
        str | None, typer.Option(help="Whose models to set against the others', for every library.")
    ] = None,
    route: Annotated[Route, typer.Option(help="any, or main: what a library's own code names.")] = Route.any,
    store: Store = None,
    format: Annotated[Format, typer.Option(help="csv and json carry the evidence.")] = Format.table,
) -> None:
    """Print model families by library with the day of first support, and the vendor gap.

    Examples: advisor coverage; advisor coverage --as-of 2024-06-05; advisor coverage --vendor Meta
    """
    from advisor.answers.coverage import Request
    from advisor.answers.coverage import coverage as run
    from advisor.report.coverage import RENDER

    found = run(
        Request(
            domain=domain,
            repositories=tuple(repositories or ()),
            as_of=parse_day(as_of),
            store=chosen_store(store, domain),
            route=route.value,
            vendor=vendor,
        )
    )
    sys.stdout.write(RENDER[format.value](found))
