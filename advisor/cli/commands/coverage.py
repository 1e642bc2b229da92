"""advisor coverage: show which library supports which model families, and since when."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from advisor.cli import app, completion
from advisor.cli.messages import show_wait
from advisor.cli.options import AsOf, Candidates, DomainName, Store, parse_as_of, resolve_store
from advisor.cli.output import Output, table_width, write_report
from advisor.report.formats import CoverageFormat, Format


class Route(StrEnum):
    """What counts as support."""

    main = "main"
    examples = "shown"
    any = "any"


@app.command()
def coverage(
    repositories: Candidates = None,
    domain: DomainName = "finetuning",
    as_of: AsOf = None,
    vendor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare the delays of this vendor's models with those of all others.",
            autocompletion=completion.vendors,
        ),
    ] = None,
    route: Annotated[
        Route,
        typer.Option(
            help="main: what the library's own code names or its own files show, as in the score. "
            "shown: what its tests, examples, recipes or pages show. any: also what it only loads."
        ),
    ] = Route.main,
    store: Store = None,
    format: Annotated[
        CoverageFormat, typer.Option(help="Format of the report. csv and json include the evidence.")
    ] = Format.table,
    output: Output = None,
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
        as_of=parse_as_of(as_of),
        store=resolve_store(store, domain),
    )
    with show_wait("reading the coverage"):
        question = read_request(request)
        coverage = read_coverage(question, route.value, vendor)
    text = render(coverage, format, table_width(output), question.views)
    write_report(text, output, has_sentences=format is Format.table)
