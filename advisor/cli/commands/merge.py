"""advisor merge: merge stores that were collected separately."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.measure_facts import measure_facts
from advisor.cli.options import OwnStore, store_or_default


@app.command()
def merge(
    stores: Annotated[list[Path], typer.Argument(help="Folders of facts to copy from.")],
    store: OwnStore = None,
) -> None:
    """Merge stores that were collected separately.

    Of two readings of the same source the later one stays. The order of the stores does not matter.

    Examples:
      advisor merge shard-1 shard-2 shard-3 --store all
    """
    from advisor.collect.many.merge import merge_stores

    folder = store_or_default(store)
    summary = merge_stores(folder, stores)
    print(
        f"{folder}: {summary.files} files copied, {summary.older} older readings skipped or replaced",
        file=sys.stderr,
    )
    if summary.files:
        measure_facts(folder)
