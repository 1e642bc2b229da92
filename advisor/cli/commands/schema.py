"""advisor schema: print the JSON schema of a report."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from advisor.cli import app
from advisor.cli.output import Output, write_report
from advisor.report.formats import ReportName


@app.command()
def schema(
    report: Annotated[
        ReportName,
        typer.Argument(
            metavar="[REPORT]",
            help="The report: that of `advisor rank` is the recommendation, that of `advisor rank --from` is"
            f" dependencies. One of {', '.join(get_args(ReportName))}.",
        ),
    ] = "recommendation",
    output: Output = None,
) -> None:
    """Print the JSON schema of what `--format json` prints.

    Examples:
      advisor schema
      advisor schema dependencies -o dependencies.schema.json
    """
    import json

    from advisor.report.schemas import report_schema

    write_report(json.dumps(report_schema(report), indent=2) + "\n", output)
