"""advisor collect --from FILE: whose packages these are, as far as anybody says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.cli.collect_progress import Progress
    from advisor.collect import package_index


def repositories_of(
    files: Sequence[Path],
    store: Path,
    progress: Progress,
    *,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> dict[str, str | None]:
    """``owner/name`` → its package on PyPI (None: not on PyPI), of all that the files name.

    What the files, the facts, the domains or the table that came along say is not asked for again.

    Raises:
        InputError: a file is wrong.
    """
    from advisor.answers.dependencies import files as kinds
    from advisor.answers.dependencies.packages import origin, origins
    from advisor.collect.package_index import Package
    from advisor.errors import SnapshotMissing
    from advisor.facts import reading

    wanted = kinds.read(files)
    try:
        known = origins([reading.open_store(store, may_lack_days=True)])
    except SnapshotMissing:
        known = origins([])
    owned = {d: origin(d, known) for d in wanted}
    unknown = [Package(d.ecosystem, d.name) for d, o in owned.items() if o is None and not d.local]
    found = _ask(unknown, store, progress, max_wait, record, replay) if unknown else {}
    packages: dict[str, str | None] = {}
    for d, of in owned.items():
        repository = of.repository if of else found.get(Package(d.ecosystem, d.name))
        if repository is not None:
            on_pypi = d.name if d.ecosystem == "pypi" else None
            packages[repository] = packages.get(repository) or on_pypi
        elif d.local:
            progress.tell("none", {"repository": d.name, "part": "repository", "why": f"it is {d.local}"})
    return packages


def _ask(
    unknown: Sequence[package_index.Package],
    store: Path,
    progress: Progress,
    max_wait: float,
    record: Path | None,
    replay: Path | None,
) -> dict[package_index.Package, str]:
    import asyncio

    import stamina

    from advisor.collect import package_index
    from advisor.collect.http.recording import replay as from_recording
    from advisor.collect.http.transport import Patience, Transport
    from advisor.collect.outcome import Outcome

    stamina.instrumentation.set_on_retry_hooks(())  # retries are told by the progress
    outcome = Outcome()

    async def ask() -> dict[package_index.Package, str]:
        async with Transport(
            dict.fromkeys(package_index.hosts()),
            patience=Patience(limits=max_wait),
            tell=progress.tell,
            wire=from_recording(replay) if replay else None,
        ) as transport:
            day = datetime.now(UTC).date()
            return await package_index.find(unknown, transport, store, day, progress.tell, outcome, record)

    found = asyncio.run(ask())
    progress.missing += [f"{m.repository}: {m.part}: {m.why}" for m in outcome.missing]
    return found
