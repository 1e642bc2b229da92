"""advisor coverage: show which library supports which model families, and since when."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import AsOf, Candidates, DomainName, Store, parse_date, resolve_store
from advisor.report.formats import CoverageFormat, Format


class Route(StrEnum):
    """What counts as support."""

    any = "any"
    main = "main"


@app.command()
def coverage(
    repositories: Candidates = None,
    domain: DomainName = "finetuning",
    as_of: AsOf = None,
    vendor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Compare the delays of this vendor's models with those of all others."
        ),
    ] = None,
    route: Annotated[
        Route,
        typer.Option(help="any: all support. main: only what the library's own code names."),
    ] = Route.any,
    store: Store = None,
    format: Annotated[
        CoverageFormat, typer.Option(help="Format of the report. csv and json include the evidence.")
    ] = Format.table,
) -> None:
    """Show since when each library supports each model family.

    Examples:
      advisor coverage
      advisor coverage --as-of 2024-06-05
      advisor coverage --vendor Meta
    """
    from advisor.answers.coverage import read_coverage
    from advisor.answers.question import Request, read_request
    from advisor.report.coverage import render

    request = Request(
        domain=domain,
        repositories=tuple(repositories or ()),
        as_of=parse_date(as_of),
        store=resolve_store(store, domain),
    )
    coverage = read_coverage(read_request(request), route.value, vendor)
    sys.stdout.write(render(coverage, format))
