"""advisor collect --from FILE: find the repositories of the packages that files name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.cli.collect_progress import CollectionProgress
    from advisor.collect import package_index


def find_repositories(
    files: Sequence[Path],
    store: Path,
    progress: CollectionProgress,
    *,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> dict[str, str | None]:
    """Return ``owner/name`` → package on PyPI (None: not on PyPI) for all packages of the files.

    Asks a package index only about packages that the facts, the domains and the bundled table lack.

    Raises:
        InputError: a file is wrong.
    """
    from advisor.answers.dependencies import files as dependency_files
    from advisor.answers.dependencies.packages import find_origin, read_origins
    from advisor.collect.package_index import Package
    from advisor.errors import SnapshotMissing
    from advisor.facts import reading

    dependencies = dependency_files.read_dependencies(files)
    try:
        origin_table = read_origins([reading.open_store(store, may_lack_days=True)])
    except SnapshotMissing:
        origin_table = read_origins([])
    package_origins = {d: find_origin(d, origin_table) for d in dependencies}
    unknown_packages = [
        Package(d.ecosystem, d.name) for d, o in package_origins.items() if o is None and not d.local
    ]
    answers: dict[Package, str] = {}
    if unknown_packages:
        answers = _ask_indexes(unknown_packages, store, progress, max_wait, record, replay)
    packages: dict[str, str | None] = {}
    for d, package_origin in package_origins.items():
        answer = answers.get(Package(d.ecosystem, d.name))
        repository = package_origin.repository if package_origin else answer
        if repository is not None:
            on_pypi = d.name if d.ecosystem == "pypi" else None
            packages[repository] = packages.get(repository) or on_pypi
        elif d.local:
            fields = {"repository": d.name, "part": "repository", "why": f"it is {d.local}"}
            progress.show_event("none", fields)
    return packages


def _ask_indexes(
    packages: Sequence[package_index.Package],
    store: Path,
    progress: CollectionProgress,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> dict[package_index.Package, str]:
    import asyncio

    import stamina

    from advisor.collect import package_index
    from advisor.collect.http.recording import replay as open_recording
    from advisor.collect.http.transport import Patience, Transport
    from advisor.collect.outcome import CollectionOutcome

    stamina.instrumentation.set_on_retry_hooks(())  # the progress shows retries
    outcome = CollectionOutcome()

    async def ask() -> dict[package_index.Package, str]:
        async with Transport(
            dict.fromkeys(package_index.list_origins()),
            patience=Patience(limits=max_wait),
            on_event=progress.show_event,
            wire=open_recording(replay) if replay else None,
        ) as transport:
            day = datetime.now(UTC).date()
            return await package_index.find_repositories(
                packages, transport, store, day, progress.show_event, outcome, record
            )

    repositories = asyncio.run(ask())
    progress.missing += [f"{m.repository}: {m.part}: {m.reason}" for m in outcome.missing]
    return repositories
