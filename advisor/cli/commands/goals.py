"""advisor goals: the goals of a domain, and what each of them weighs."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import DomainName
from advisor.cli.output import Output, table_width, write_report
from advisor.report.formats import DomainsFormat, Format


@app.command()
def goals(
    domain: DomainName = "finetuning",
    format: Annotated[DomainsFormat, typer.Option(help="Format of the list.")] = Format.table,
    output: Output = None,
) -> None:
    """List the goals of a domain, and what each of them weighs.

    Examples:
      advisor goals
      advisor goals --domain web-frameworks
    """
    from advisor.domain.domain import load_domain
    from advisor.report.domains import render_goals

    text = render_goals(load_domain(domain), format, table_width(output))
    write_report(text, output, has_sentences=format is Format.table)
