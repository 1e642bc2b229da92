"""advisor domains: what can be asked: the bundled domains, and the categories of the public lists."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.output import Output, table_width, write_report
from advisor.report.formats import DomainsFormat, Format


@app.command()
def domains(
    name: Annotated[
        str | None, typer.Argument(help="Show only domains and categories with this text in their name.")
    ] = None,
    format: Annotated[DomainsFormat, typer.Option(help="Format of the list.")] = Format.table,
    output: Output = None,
) -> None:
    """List the domains and the categories that you can rank.

    A domain has its own candidates, goals and facts: `advisor rank --domain NAME`. A category has libraries
    of a public list with their figures: `advisor rank --category NAME`.

    Examples:
      advisor domains
      advisor domains web
    """
    from advisor.answers.libraries import list_categories, list_domains
    from advisor.errors import InputError
    from advisor.report.domains import render

    domain_list, categories = list_domains(name or ""), list_categories(name or "")
    if not domain_list and not categories:
        raise InputError(f"no domain and no category has {name!r} in its name; `advisor domains` lists all")
    text = render(domain_list, categories, format, table_width(output))
    write_report(text, output, has_sentences=format is Format.table)
