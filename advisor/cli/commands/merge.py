"""advisor merge: stores that were filled apart, as one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collected import keep_measurements
from advisor.cli.options import StoreFolder, store_or_default


@app.command()
def merge(
    stores: Annotated[list[Path], typer.Argument(help="Folders of facts to take from.")],
    store: StoreFolder = None,
) -> None:
    """Merge stores, in any order with the same result; of two readings the later one stays.

    Example: advisor merge shard-1 shard-2 shard-3 --store all
    """
    from advisor.collect.many.merge import merge as run

    folder = store_or_default(store)
    done = run(folder, stores)
    told = f"{done.files} files taken over, {done.older} readings met a newer or an older one"
    print(f"{folder}: {told}", file=sys.stderr)
    if done.files:
        keep_measurements(folder)
