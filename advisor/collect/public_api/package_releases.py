"""Collect the public API of a Python package, release by release, from the archives on its index.

For a library whose repository is too large to clone, or has no tags. An archive is read in memory, and
nothing is installed or executed. A second run downloads only new releases, and so does a run after one that
was interrupted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.addresses import check_repository
from advisor.collect import package_index
from advisor.collect.git.dates import Warn, ignore
from advisor.collect.http.messages import (
    HttpRequest,
    HttpResponse,
    RetryableError,
    check_status,
    parse_origin,
)
from advisor.collect.http.transport import SIZE_LIMIT, Transport
from advisor.collect.outcome import CollectionOutcome
from advisor.collect.public_api.archives import Sources, read_sources
from advisor.collect.public_api.index_files import (
    FILES_HOST,
    IndexFile,
    build_request,
    list_releases,
    read_files,
)
from advisor.collect.public_api.package_files import find_package
from advisor.collect.public_api.reading import (
    Step,
    read_releases,
    read_timeline,
    report_timeline,
    write_timeline,
)
from advisor.collect.public_api.releases import Release
from advisor.collect.public_api.timeline import Timeline
from advisor.collect.sources import pypi
from advisor.errors import CollectError, InputError, Unsound

if TYPE_CHECKING:
    import httpx

_SAVE_EVERY = 10


def collect_package_api(
    package: str,
    store: Path,
    *,
    retrieved_on: date,
    repository: str | None = None,
    progress: Callable[[str], None] = ignore,
    warn: Warn = ignore,
    wire: httpx.AsyncBaseTransport | None = None,
) -> str:
    """Read the public API of each release of a package, and replace the store's rows about its repository.

    Args:
        package: its name on PyPI.
        store: folder of fact tables.
        retrieved_on: retrieval day of the rows; later releases are left out.
        repository: ``owner/name``; None: the one that the package links to.
        progress: receives progress lines for a person.
        warn: receives sentences about facts that had to be left out.
        wire: replaces the network in tests.

    Returns:
        ``owner/name``.

    Raises:
        InputError: the package links to no repository.
        CollectError: PyPI could not be read; the releases before are in the store.
    """
    with asyncio.Runner() as runner:
        transport = Transport(
            dict.fromkeys(map(parse_origin, (pypi.HOST, FILES_HOST))),
            on_event=lambda kind, values: warn(f"{kind}: {values.get('reason', '')}"),
            wire=wire,
        )
        try:
            name = check_repository(
                repository or runner.run(_find_repository(package, transport, store, retrieved_on))
            )
            files = runner.run(transport.send(build_request(package), read_files))
            releases = list_releases(files, package, retrieved_on)
            _read_package(package, name, releases, store, retrieved_on,
                          lambda file: runner.run(_download(file, transport)), progress, warn)  # fmt: skip
        finally:
            runner.run(transport.__aexit__())
    return name


async def _find_repository(package: str, transport: Transport, store: Path, day: date) -> str:
    outcome = CollectionOutcome()
    key = package_index.Package("pypi", package)
    repositories = await package_index.find_repositories(
        [key], transport, store, day, lambda *_: None, outcome, services=("pypi",)
    )
    if key not in repositories:
        reason = outcome.missing[0]
        if reason.error is not None:
            raise reason.error
        raise InputError(f"{package}: {reason.reason}: name it with --name OWNER/NAME")
    return repositories[key]


def _read_package(
    package: str,
    name: str,
    releases: Sequence[tuple[Release, IndexFile]],
    store: Path,
    day: date,
    download: Callable[[IndexFile], bytes],
    progress: Callable[[str], None],
    warn: Warn,
) -> None:
    """Add the releases that the store lacks, and save them from time to time."""
    files = {release.tag: file for release, file in releases}
    line = [release for release, _ in releases]
    timeline = read_timeline(store, name)
    if not timeline.continues_in(line):
        timeline = Timeline()
    base, missing_releases = timeline.list_missing(line)
    new_count = len(line) - len(timeline.releases)

    def save() -> None:
        tags = " ".join(row["tag"] for row in timeline.releases)
        digest = hashlib.sha256(tags.encode()).hexdigest()
        write_timeline(store, name, timeline, f"pypi:{package}", day, history=digest)

    if new_count:
        progress(f"{name}: reading the public API of {new_count} releases of {package} on PyPI")
        sources = Sources()
        steps = _list_steps(missing_releases, files, sources, [package, name.partition("/")[2]],
                            download, save)  # fmt: skip
        read_releases(steps, sources, timeline, base, len(missing_releases), progress)
    if not line:
        warn(f"{name}: PyPI has no final release of {package} with Python files, so its API is unknown")
    save()
    report_timeline(name, timeline, progress, lambda text: warn(f"{name}: {text}"))


def _list_steps(
    releases: Sequence[Release],
    files: dict[str, IndexFile],
    sources: Sources,
    names: Sequence[str],
    download: Callable[[IndexFile], bytes],
    save: Callable[[], None],
) -> Iterator[Step]:
    """Yield each release after its archive was read; a reason stands for one that cannot be read."""
    for number, release in enumerate(releases):
        if number and number % _SAVE_EVERY == 0:
            save()
        file = files[release.tag]
        try:
            _check_size(file)
            sources.replace(read_sources(file.filename, download(file)))
        except Unsound as error:
            yield Step(release, None, str(error))
            continue
        except (CollectError, KeyboardInterrupt):
            save()
            raise
        yield Step(release, find_package(sources.paths, names))


def _check_size(file: IndexFile) -> None:
    if file.size is not None and file.size > SIZE_LIMIT:
        raise Unsound(
            f"its archive has {file.size / 2**20:,.0f} MiB, more than the {SIZE_LIMIT // 2**20} that are read"
        )


async def _download(file: IndexFile, transport: Transport) -> bytes:
    """Return an archive whose hash is that of the index."""
    digest = file.hashes.get("sha256")

    def check(response: HttpResponse) -> bytes:
        content = check_status(response, "PyPI").body
        if digest is None or hashlib.sha256(content).hexdigest() != digest:
            raise RetryableError(f"{file.filename} has another hash than PyPI says")
        return content

    return await transport.send(HttpRequest("GET", file.url), check)
