"""Collect repositories from the APIs and their git histories, for every command that collects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.collect import sources
from advisor.files import data_home, home_folder

if TYPE_CHECKING:
    from advisor.cli.collect_progress import CollectionProgress

SOURCES = ("git", "github", *sources.SOURCES)
MAX_WAIT_SECONDS = 900.0


def find_packages(repositories: Iterable[str], store: Path) -> dict[str, str | None]:
    """Return ``owner/name`` → package on PyPI, or None if no facts name it."""
    from advisor.answers.dependencies.health import open_stores
    from advisor.answers.dependencies.packages import read_origins

    packages = {
        o.repository: package
        for (kind, package), o in read_origins(open_stores([store])).items()
        if kind == "pypi"
    }
    return {name: packages.get(name) for name in repositories}


def collect_apis(
    packages: dict[str, str | None],
    source_names: set[str],
    store: Path,
    progress: CollectionProgress,
    *,
    github_url: str | None = None,
    budget: int | None = None,
    dry_run: bool = False,
    max_wait: float = MAX_WAIT_SECONDS,
    record: Path | None = None,
    replay: Path | None = None,
    append_to_record: bool = False,
) -> None:
    """Collect from ``github`` or other sources, and add the outcome to the progress.

    ``packages`` is ``owner/name`` → package on PyPI (None: not known), ``max_wait`` is in seconds.
    """
    if not packages or not source_names:
        return
    import asyncio
    import os

    import stamina

    from advisor.collect import apis
    from advisor.collect.github.protocol import check_input_url, find_endpoints
    from advisor.collect.http import auth
    from advisor.collect.http.recording import replay as open_recording
    from advisor.collect.http.transport import Patience

    stamina.instrumentation.set_on_retry_hooks(())  # the progress shows retries
    endpoints = find_endpoints(os.environ, check_input_url(github_url) if github_url else None)
    needs_token = "github" in source_names
    credential = auth.find_credential(endpoints.rest, os.environ, home_folder()) if needs_token else None
    if needs_token:
        progress.show_event("token", {"found_in": credential.source if credential else None})
    request = apis.CollectionRequest(
        packages, source_names, store, endpoints, credential, lambda: datetime.now(UTC), budget=budget,
        is_dry_run=dry_run, patience=Patience(limits=max_wait), record=record,
        append_to_record=append_to_record, wire=open_recording(replay) if replay else None,
    )  # fmt: skip
    progress.add_outcome(asyncio.run(apis.collect_from_apis(request, progress.show_event)))


def collect_histories(
    histories: dict[str, str],
    packages: dict[str, str | None],
    store: Path,
    progress: CollectionProgress,
    day: date,
    name: str | None,
    github_url: str | None,
    patterns: Sequence[Mapping[str, Any]],
) -> None:
    """Collect the histories, and add each repository or failure to the progress.

    ``histories`` is ``owner/name`` or place → place of the history; ``name`` is the ``owner/name`` of the one
    local clone; ``patterns`` are the entries ``identities`` of a domain file.
    """
    from advisor.collect.git import collect_history
    from advisor.errors import CollectError

    for place, where in histories.items():
        is_name = not Path(where).is_dir() and "://" not in where
        try:
            repository = collect_history(
                _find_address(where, github_url) if is_name else where,
                store,
                data_home() / "git",
                retrieved_on=day,
                repository=name or (where if is_name else None),
                patterns=patterns,
                package=packages.get(place),
                progress=lambda text: progress.show_event("git", {"text": text}),
                warn=lambda text: progress.show_event("note", {"text": text}),
            )
        except CollectError as error:
            progress.add_failure(place, "git", error)
        else:
            progress.repositories.add(repository)


def _find_address(name: str, github_url: str | None) -> str:
    """Return the address of ``owner/name`` on a GitHub Enterprise server, or the name itself."""
    import os

    from advisor.collect.github.protocol import find_endpoints

    web = find_endpoints(os.environ, github_url).web
    return name if web == "https://github.com" else f"{web}/{name}.git"
