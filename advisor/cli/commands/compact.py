"""advisor compact: the many small files of a store into few sorted ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app


@app.command()
def compact(
    store: Annotated[Path, typer.Argument(help="A folder of facts.")],
    rows: Annotated[int, typer.Option(min=1, help="About how many rows share a partition.")] = 1_000_000,
) -> None:
    """Move the rows of a store's files into partitions of many repositories, sorted; no row is lost.

    A kill at any moment leaves the store as it was or done. Example: advisor compact facts
    """
    from advisor.facts.compaction import compact as run

    done = run(store, rows)
    print(
        f"{store}: {done.rows:,} rows, {done.files_before:,} files before and {done.files_after:,} now; "
        f"{done.removed:,} that nothing names were removed"
    )
