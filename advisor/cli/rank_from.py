"""advisor rank --from FILE: what a project depends on, the riskiest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from advisor.answers.question import Request

FORMATS = ("table", "markdown", "json", "csv", "sarif")


def rank_files(
    files: Sequence[Path],
    request: Request,
    store: Path | None,
    format: str,
    fail_under: float | None,
) -> None:
    """Print the health of what these files name.

    Args:
        files: what to read.
        request: goal, weights, rules and as-of date.
        store: as given; None: the user's own, then the bundled ones.
        format: one of `FORMATS`.
        fail_under: score below which a package fails the run.

    Raises:
        InputError: a file or the request is wrong.
        typer.Exit: 4: a package is below, or ruled out.
    """
    from advisor.answers.dependencies import files as kinds
    from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies
    from advisor.cli.options import BUNDLED, store_or_default
    from advisor.errors import EXIT_NOTHING_SUITABLE, InputError
    from advisor.facts.reading import open_store

    if format not in FORMATS:
        raise InputError(f"--from is written as {', '.join(FORMATS)}, not as {format}")
    if request.repositories:
        raise InputError("name either repositories or files (--from), not both")
    wanted = kinds.read(files)
    if store is None:
        stores = open_stores([store_or_default(None), *bundled_stores()])
    elif store == BUNDLED:
        stores = open_stores(bundled_stores())
    else:
        stores = [open_store(store, may_lack_days=True)]
    answer = rank_dependencies(wanted, stores, request, [str(f) for f in files])
    name = "text" if format == "table" else format
    sys.stdout.write(str(import_module(f"advisor.report.dependencies.{name}").render(answer, fail_under)))
    if fail_under is not None and any(h.is_below(fail_under) for h in answer.known):
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
