"""advisor import-counts: import dated totals from a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default


@app.command("import-counts")
def import_counts(
    file: Annotated[
        Path,
        typer.Argument(help="CSV file with columns date, repository, metric, value, source, definition."),
    ],
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Import dated totals, for example of stars, from CSV.

    Examples:
      advisor import-counts counts.csv
    """
    from advisor.collect.imports import counts

    rows = counts.import_counts(file, store_or_default(store), retrieved_on=date_or_today(retrieved_on))
    for repository, count in sorted(rows.items()):
        print(f"{repository}: {count} rows")
