"""advisor rank --from FILE: rank the dependencies of a project, the riskiest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from advisor.cli.messages import print_note, show_wait
from advisor.cli.output import table_width, write_report
from advisor.cli.streams import read_stdin
from advisor.report.formats import Format

if TYPE_CHECKING:
    from advisor.answers.dependencies.health import Dependencies
    from advisor.answers.question import Request
    from advisor.cli.gate_options import GateOptions


def rank_files(
    files: Sequence[Path],
    request: Request,
    store: Path | None,
    format: Format,
    options: GateOptions,
    include_folders: Sequence[Path] = (),
    output: Path | None = None,
) -> None:
    """Print the health of the packages that the files name.

    Args:
        files: requirements files, lock files or SBOMs.
        request: goal, weights, rules, as-of date, and required licence and backers.
        store: a folder of facts; None: the user's own store, then the bundled ones.
        format: how to write the report.
        options: which packages count, and what fails the run.
        include_folders: folders besides that of a file whose files it may include or link to.
        output: where to write the report; None: standard output.

    Raises:
        InputError: a file or the request is wrong.
        typer.Exit: 4: the gate fails.
    """
    from advisor.answers.dependencies import files as dependency_files
    from advisor.answers.dependencies.gate import decide
    from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies
    from advisor.answers.dependencies.selection import select_dependencies
    from advisor.cli.options import BUNDLED_STORE, store_or_default
    from advisor.errors import EXIT_NOTHING_SUITABLE
    from advisor.facts.reading import open_store
    from advisor.report.dependencies import render

    gate, selection = options.build_gate(), options.build_selection()
    folders = [file for file in files if file.is_dir()]
    files = dependency_files.find_paths(files)
    dependencies = dependency_files.read_dependencies(files, include_folders, read_stdin(files))
    dependencies, notes = select_dependencies(dependencies, selection)
    if request.requirements.license:
        notes = (*notes, "--license: a package without a known licence is not excluded")
    if store is None:
        stores = open_stores([store_or_default(None), *bundled_stores()])
    elif store == BUNDLED_STORE:
        stores = open_stores(bundled_stores())
    else:
        stores = [open_store(store, may_lack_days=True)]
    with show_wait("ranking"):
        answer = rank_dependencies(dependencies, stores, request, [str(f) for f in files])
    if folders:
        answer = _count_imports(answer, folders)
    decision = decide(replace(answer, notes=notes), gate)
    text = render(decision.answer, format, gate.fail_under, table_width(output))
    write_report(text, output, has_sentences=format is Format.table)
    for problem in decision.answer.problems:
        print_note(problem)
    if not decision.passes:
        raise typer.Exit(EXIT_NOTHING_SUITABLE)


def _count_imports(answer: Dependencies, folders: Sequence[Path]) -> Dependencies:
    """Return the answer with the number of files in the folders that import each package of PyPI."""
    from advisor.answers.dependencies.imports import count_importing_files

    names = {h.dependency.name for h in (*answer.known, *answer.unknown) if h.dependency.ecosystem == "pypi"}
    counts: Counter[str] = Counter()
    for folder in folders:
        counts.update(count_importing_files(folder, names))
    known, unknown = (
        tuple(
            replace(
                h, importing_files=counts[h.dependency.name] if h.dependency.ecosystem == "pypi" else None
            )
            for h in packages
        )
        for packages in (answer.known, answer.unknown)
    )
    return replace(answer, known=known, unknown=unknown)
