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
from advisor.files import home_folder

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.cli.collect_progress import CollectionProgress


def collect_missing(request: Request, store: Path | None) -> bool:
    """Collect the libraries of a request that no store of it has facts about, and show the progress.

    Asks the package index about a name that nothing on this machine knows, unless the settings of the
    project or the user name a private index. Without a token for GitHub, reads only git histories.

    Args:
        request: names the libraries.
        store: folder for the facts; None: the user's own.

    Returns:
        whether everything was collected.

    Raises:
        InputError: the request names no library or an unknown one, or the store is the bundled one.
        typer.Exit: 130: interrupted.
    """
    from advisor.answers.any_question import find_missing_repositories, find_unknown_packages
    from advisor.cli.collect_progress import CollectionProgress
    from advisor.errors import InputError

    if store == BUNDLED_STORE:
        raise InputError("--collect cannot write to the bundled facts: leave out --store bundled")
    if not request.repositories:
        raise InputError("--collect needs names of libraries; `advisor collect` collects a whole domain")
    packages = find_unknown_packages(request)
    repositories = [] if packages else find_missing_repositories(request)
    if not packages and not repositories:
        print_detail("nothing to collect: there are facts about all libraries")
        return True
    folder = store_or_default(store)
    with CollectionProgress() as progress:
        try:
            if packages:
                _look_up(packages, folder, progress)
                repositories = find_missing_repositories(request)
            if repositories:
                _collect(repositories, folder, progress, request.domain)
        except KeyboardInterrupt:
            print("advisor: interrupted; run the same command again to resume", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPT) from None
        progress.print_summary()
    if progress.only_error is not None:
        print_note(str(progress.only_error))
    return not progress.missing and progress.only_error is None


def _look_up(packages: list[tuple[str, str]], store: Path, progress: CollectionProgress) -> None:
    """Find the repositories of packages by the services that may be asked, and add them to the store."""
    from advisor.answers.dependencies import Dependency
    from advisor.answers.dependencies.indexes import read_project_settings, read_user_settings
    from advisor.cli.collect_from import ask_indexes, why_private
    from advisor.cli.collect_repositories import MAX_WAIT_SECONDS
    from advisor.collect.package_index import SERVICES, Package

    settings = (read_project_settings(Path.cwd()), read_user_settings(os.environ, home_folder()))
    public = []
    for ecosystem, name in packages:
        dependency = Dependency(ecosystem, name, file="")
        for kind in settings:
            dependency = kind.apply(dependency)
        if reason := why_private(dependency):
            print_note(f"no index is asked about {name}: {reason}")
        else:
            public.append(Package(ecosystem, name))
    if public:
        ask_indexes(public, store, progress, list(SERVICES), max_wait=MAX_WAIT_SECONDS)


def _collect(repositories: list[str], store: Path, progress: CollectionProgress, domain: str) -> None:
    from advisor.cli.collect_repositories import SOURCES, collect_apis, collect_histories, find_packages
    from advisor.collect.github.protocol import find_endpoints
    from advisor.collect.http.auth import find_credential
    from advisor.domain.domain_file import read_domain_file

    packages = find_packages(repositories, store)
    if find_credential(find_endpoints(os.environ).rest, os.environ, home_folder()):
        collect_apis(packages, set(SOURCES) - {"git"}, store, progress)
    else:
        print_note("no token for GitHub: only git histories are collected")
    histories = {repository: repository for repository in repositories}
    patterns = read_domain_file(domain).get("identities", ())
    collect_histories(histories, packages, store, progress, date_or_today(None), None, None, patterns)
