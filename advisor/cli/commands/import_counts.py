"""advisor import-counts: dated figures that no row gives, from CSV into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.import_report import report
from advisor.cli.options import Day, StoreFolder, day_or_today, store_or_default


@app.command("import-counts")
def import_counts(
    file: Annotated[Path, typer.Argument(help="CSV: date, repository, metric, value, source, definition.")],
    store: StoreFolder = None,
    retrieved_on: Day = None,
) -> None:
    """Import dated totals: open and closed issues, stars, forks, downloads."""
    from advisor.collect.imports.counts import import_counts as run

    report(run(file, store_or_default(store), retrieved_on=day_or_today(retrieved_on)))
