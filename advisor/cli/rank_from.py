"""advisor rank --from FILE: rank the dependencies of a project, the riskiest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer

from advisor.cli.messages import show_wait
from advisor.cli.output import table_width, write_report
from advisor.cli.streams import read_stdin
from advisor.report.formats import DependenciesFormat, Format

if TYPE_CHECKING:
    from advisor.answers.question import Request


def rank_files(
    files: Sequence[Path],
    request: Request,
    store: Path | None,
    format: Format,
    fail_under: float | None,
    include_folders: Sequence[Path] = (),
    output: Path | None = None,
) -> None:
    """Print the health of the packages that the files name.

    Args:
        files: requirements files, lock files or SBOMs.
        request: goal, weights, rules and as-of date.
        store: a folder of facts; None: the user's own store, then the bundled ones.
        format: how to write the report.
        fail_under: lowest score that does not fail the run; None: no score fails it.
        include_folders: folders besides that of a file whose files it may include or link to.
        output: where to write the report; None: standard output.

    Raises:
        InputError: a file or the request is wrong.
        typer.Exit: 4: a package has a lower score, or is excluded.
    """
    from advisor.answers.dependencies import files as dependency_files
    from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies
    from advisor.cli.options import BUNDLED_STORE, store_or_default
    from advisor.errors import EXIT_NOTHING_SUITABLE, InputError
    from advisor.facts.reading import open_store
    from advisor.report.dependencies import render

    if format is Format.html:
        formats = ", ".join(get_args(DependenciesFormat))
        raise InputError(f"--from has no format {format}: use one of {formats}")
    if request.repositories:
        raise InputError("name either repositories or files (--from), not both")
    files = dependency_files.find_paths(files)
    dependencies = dependency_files.read_dependencies(files, include_folders, read_stdin(files))
    if store is None:
        stores = open_stores([store_or_default(None), *bundled_stores()])
    elif store == BUNDLED_STORE:
        stores = open_stores(bundled_stores())
    else:
        stores = [open_store(store, may_lack_days=True)]
    with show_wait("ranking"):
        answer = rank_dependencies(dependencies, stores, request, [str(f) for f in files])
    text = render(answer, format, fail_under, table_width(output))
    write_report(text, output, has_sentences=format is Format.table)
    if fail_under is not None and any(h.is_below(fail_under) for h in answer.known):
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
