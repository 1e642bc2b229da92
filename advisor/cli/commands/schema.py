"""advisor schema: print the JSON schema of a report."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from advisor.cli import app
from advisor.cli.output import Output, write_report


@app.command()
def schema(
    report: Annotated[
        Literal["recommendation", "comparison", "coverage", "upgrade"],
        typer.Argument(help="The report: of `advisor rank`, `compare`, `coverage` or `upgrade`."),
    ] = "recommendation",
    output: Output = None,
) -> None:
    """Print the JSON schema of what `--format json` prints.

    Examples:
      advisor schema
      advisor schema comparison -o comparison.schema.json
    """
    import json

    from advisor.report.schemas import report_schema

    write_report(json.dumps(report_schema(report), indent=2) + "\n", output)
