"""advisor import-support: import since when libraries support model families from a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import OwnStore, RetrievedOn, date_or_today, store_or_default


@app.command("import-support")
def import_support(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV file with columns repository, family, vendor, family_released_on, supported_on, "
            "known_until, evidence_path, evidence_commit, source."
        ),
    ],
    store: OwnStore = None,
    retrieved_on: RetrievedOn = None,
) -> None:
    """Import since when libraries support models from CSV.

    Examples:
      advisor import-support support.csv
    """
    from advisor.collect.imports import support

    rows = support.import_support(file, store_or_default(store), retrieved_on=date_or_today(retrieved_on))
    for repository, count in sorted(rows.items()):
        print(f"{repository}: {count} rows")
