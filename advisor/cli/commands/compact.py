"""advisor compact: rewrite the many small files of a store as few sorted ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app


@app.command()
def compact(
    store: Annotated[Path, typer.Argument(help="A folder of facts.")],
    rows: Annotated[
        int, typer.Option(min=1, metavar="N", help="Target number of rows in each partition.")
    ] = 1_000_000,
) -> None:
    """Rewrite the files of a store as few large ones.

    Puts the rows of many repositories into sorted partitions, and loses no row. If the process is killed,
    the store is either unchanged or complete.

    Examples:
      advisor compact facts
    """
    from advisor.facts.compaction import compact_store

    summary = compact_store(store, rows)
    print(
        f"{store}: {summary.rows:,} rows; {summary.files_before:,} files before, {summary.files_after:,} "
        f"now; {summary.removed_files:,} unused files removed"
    )
