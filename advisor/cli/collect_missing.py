"""--collect: collect the libraries of a request that no store has facts about."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from advisor.cli import EXIT_INTERRUPT
from advisor.cli.messages import print_detail, print_note
from advisor.cli.options import BUNDLED_STORE, date_or_today, store_or_default

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.cli.collect_progress import CollectionProgress


def collect_missing(request: Request, store: Path | None) -> bool:
    """Collect the libraries of a request that no store of it has facts about, and show the progress.

    Without a token for GitHub, reads only git histories.

    Args:
        request: names the libraries.
        store: folder for the facts; None: the user's own.

    Returns:
        whether everything was collected.

    Raises:
        InputError: the request names no library or an unknown one, or the store is the bundled one.
        typer.Exit: 130: interrupted.
    """
    from advisor.answers.any_question import find_missing_repositories
    from advisor.cli.collect_progress import CollectionProgress
    from advisor.errors import InputError

    if store == BUNDLED_STORE:
        raise InputError("--collect cannot write to the bundled facts: leave out --store bundled")
    if not request.repositories:
        raise InputError("--collect needs names of libraries; `advisor collect` collects a whole domain")
    repositories = find_missing_repositories(request)
    if not repositories:
        print_detail("nothing to collect: there are facts about all libraries")
        return True
    with CollectionProgress() as progress:
        try:
            _collect(repositories, store_or_default(store), progress, request.domain)
        except KeyboardInterrupt:
            print("advisor: interrupted; run the same command again to resume", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPT) from None
        progress.print_summary()
    if progress.only_error is not None:
        print_note(str(progress.only_error))
    return not progress.missing and progress.only_error is None


def _collect(repositories: list[str], store: Path, progress: CollectionProgress, domain: str) -> None:
    from advisor.cli.collect_repositories import SOURCES, collect_apis, collect_histories, find_packages
    from advisor.collect.github.protocol import find_endpoints
    from advisor.collect.http.auth import find_credential

    packages = find_packages(repositories, store)
    if find_credential(find_endpoints(os.environ).rest, os.environ, Path.home()):
        collect_apis(packages, set(SOURCES) - {"git"}, store, progress)
    else:
        print_note("no token for GitHub: only git histories are collected")
    histories = {repository: repository for repository in repositories}
    collect_histories(histories, packages, store, progress, date_or_today(None), None, None, domain)
