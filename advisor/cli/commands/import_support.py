"""advisor import-support: when libraries first supported model families, from CSV into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.import_report import report
from advisor.cli.options import Day, StoreFolder, day_or_today, store_or_default


@app.command("import-support")
def import_support(
    file: Annotated[Path, typer.Argument(help="CSV: repository, family, vendor, and their dates.")],
    store: StoreFolder = None,
    retrieved_on: Day = None,
) -> None:
    """Import the days on which libraries first supported model families."""
    from advisor.collect.imports.support import import_support as run

    report(run(file, store_or_default(store), retrieved_on=day_or_today(retrieved_on)))
