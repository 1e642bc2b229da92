"""Collect the public API of a Python library, release by release, from its git history.

griffe reads the Python files of each release on the main line; nothing is imported or executed. A file or a
release that did not change costs nothing, and a second run reads only new releases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs, open_history
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, ignore
from advisor.collect.git.trees import list_file_changes
from advisor.collect.public_api.package_files import find_package
from advisor.collect.public_api.reading import (
    Step,
    read_releases,
    read_timeline,
    report_timeline,
    write_timeline,
)
from advisor.collect.public_api.releases import Release, list_main_line
from advisor.collect.public_api.timeline import Timeline

__all__ = ["collect_api"]

_MAX_FETCH_BYTES = 2**31


def collect_api(
    where: str,
    store: Path,
    cache: Path,
    *,
    retrieved_on: date,
    repository: str | None = None,
    package: str | None = None,
    progress: Callable[[str], None] = ignore,
    warn: Warn = ignore,
) -> str:
    """Read the public API of each release of one history, and replace the store's rows about it.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        retrieved_on: retrieval day of the rows; later releases are left out.
        repository: ``owner/name``, for a local clone without a remote.
        package: its package on the index; in a repository of several, only its tags count.
        progress: receives progress lines for a person.
        warn: receives sentences about facts that had to be left out.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is not a repository, URL or path.
        RepositoryNotFound: the repository does not exist.
        GitFailed: git failed; nothing was written.
    """
    with open_history(where, cache, repository, progress) as (folder, name):

        def tell(sentence: str) -> None:
            warn(f"{name}: {sentence}")

        head = run_git(folder, "rev-parse", "--verify", "HEAD^{commit}").strip()
        line = [r for r in list_main_line(folder, package, tell) if r.day <= retrieved_on.isoformat()]
        timeline = read_timeline(store, name)
        if not timeline.continues_in(line):
            timeline = Timeline()
        new_count = len(line) - len(timeline.releases)
        if new_count:
            progress(f"{name}: reading the public API of {new_count} releases")
            names = [n for n in (package, name.partition("/")[2]) if n]
            _read_history(folder, line, timeline, names, progress)
    if not line:
        tell("no tag names a final release, so its public API is unknown")
    write_timeline(store, name, timeline, f"git:{name}@{head[:12]}", retrieved_on, head=head)
    report_timeline(name, timeline, progress, tell)
    return name


def _read_history(
    folder: Path,
    line: Sequence[Release],
    timeline: Timeline,
    names: Sequence[str],
    progress: Callable[[str], None],
) -> None:
    """Add the releases that the timeline lacks; the last known one is read again, to compare with it."""
    base, releases = timeline.list_missing(line)
    steps = list(_list_steps(folder, releases, names))
    contents = {blob for step in steps if step.package for blob in step.package.files.values()}
    fetch_blobs(folder, contents, max_bytes=_MAX_FETCH_BYTES)
    with BlobReader(folder, contents) as blobs:
        read_releases(steps, blobs, timeline, base, len(steps), progress)


def _list_steps(folder: Path, releases: Sequence[Release], names: Sequence[str]) -> Iterator[Step]:
    """Yield each release with its import package."""
    blobs: dict[str, str] = {}
    commit: str | None = None
    for release in releases:
        for path, blob in list_file_changes(folder, commit, release.commit):
            if blob is None:
                blobs.pop(path, None)
            elif path.endswith(".py"):
                blobs[path] = blob
        commit = release.commit
        yield Step(release, find_package(blobs, names))
