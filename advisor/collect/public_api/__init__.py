"""Collect the public API of a Python library, release by release, from its git history.

griffe reads the Python files of each release on the main line; nothing is imported or executed. A file or a
release that did not change costs nothing, and a second run reads only new releases.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from advisor.collect import parts
from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs, open_history
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, ignore
from advisor.collect.git.trees import list_file_changes
from advisor.collect.public_api.changes import find_changes
from advisor.collect.public_api.names import Api, forget_trees, read_api
from advisor.collect.public_api.package_files import Package, find_package, limit_files
from advisor.collect.public_api.package_tree import TreeReader
from advisor.collect.public_api.releases import Release, list_main_line
from advisor.collect.public_api.timeline import Timeline
from advisor.errors import Unsound
from advisor.facts import writing

__all__ = ["collect_api"]

RULES = 4
"""Raise it when the same files give other rows: then all releases are read again."""
_TABLES = {"api_releases": "releases", "api_names": "names", "api_changes": "changes"}
_PROVENANCE = {"repository", "source", "retrieved_at"}
_MAX_FETCH_BYTES = 2**31
_PROGRESS_EVERY = 20
_MAX_GARBAGE = 500
"""Files of releases whose trees are still in memory: to find them takes time."""


class _Step(NamedTuple):
    release: Release
    package: Package | None


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
        reader = f"(griffe {version('griffelib')}, rules {RULES})"
        line = [r for r in list_main_line(folder, package, tell) if r.day <= retrieved_on.isoformat()]
        timeline = _read_timeline(store, name, reader)
        if not timeline.continues_in(line):
            timeline = Timeline()
        new_count = len(line) - len(timeline.releases)
        if new_count:
            progress(f"{name}: reading the public API of {new_count} releases")
            names = [n for n in (package, name.partition("/")[2]) if n]
            _read_releases(folder, line, timeline, names, progress)
    if not line:
        tell("no tag names a final release, so its public API is unknown")
    provenance = {
        "repository": name,
        "source": f"git:{name}@{head[:12]} {reader}",
        "retrieved_at": retrieved_on.isoformat(),
    }
    for table, attribute in _TABLES.items():
        rows = [{**row, **provenance} for row in getattr(timeline, attribute)]
        writing.write_rows(store, table, name, rows, head=head)
    unknown = sum(row["reason"] is not None for row in timeline.releases)
    progress(f"{name}: {len(timeline.releases)} releases, {len(timeline.changes)} incompatible changes")
    if unknown:
        tell(f"the public API of {unknown} releases is unknown: {_find_reason(timeline)}")
    return name


def _find_reason(timeline: Timeline) -> str:
    return str(next(row["reason"] for row in reversed(timeline.releases) if row["reason"]))


def _read_timeline(store: Path, name: str, reader: str) -> Timeline:
    """Return what an earlier run read by the same rules; an empty timeline if there is nothing."""
    timeline = Timeline()
    for table, attribute in _TABLES.items():
        for row in parts.read_part(store, table, name, ""):
            if not row["source"].endswith(reader):
                return Timeline()
            values = {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
            getattr(timeline, attribute).append({k: v for k, v in values.items() if k not in _PROVENANCE})
    timeline.releases.sort(key=lambda row: row["released_on"])
    return timeline


def _read_releases(
    folder: Path,
    line: Sequence[Release],
    timeline: Timeline,
    names: Sequence[str],
    progress: Callable[[str], None],
) -> None:
    """Add the releases that the timeline lacks; the last known one is read again, to compare with it."""
    readable_count = timeline.count_readable()
    base = line[readable_count - 1] if readable_count else None
    releases = [*([base] if base else []), *line[len(timeline.releases) :]]
    steps = list(_list_steps(folder, releases, names))
    contents = {blob for step in steps if step.package for blob in step.package.files.values()}
    fetch_blobs(folder, contents, max_bytes=_MAX_FETCH_BYTES)
    old: Api | None = None
    old_files: Mapping[str, str] = {}
    with BlobReader(folder, contents) as blobs, _pause_collector():
        reader, garbage = TreeReader(blobs.read_text), 0
        for number, (release, package) in enumerate(steps, 1):
            if package is None:
                timeline.add_unknown(release, "the release has no Python package")
                continue
            try:
                files = limit_files(package, blobs)
                if files == old_files and old is not None:
                    api, changes = old, []
                else:
                    api = read_api(package.name, files, reader)
                    changes = find_changes(old, api, _find_modules(old_files, files)) if old else []
            except Unsound as error:
                timeline.add_unknown(release, str(error))
                continue
            if release is not base:
                timeline.add(release, package.name, api, changes)
            old, old_files = api, files
            del api
            if (garbage := garbage + len(files)) > _MAX_GARBAGE:
                forget_trees()
                garbage = 0
            if number % _PROGRESS_EVERY == 0:
                progress(f"release {number} of {len(steps)}: {release.version}")


def _list_steps(folder: Path, releases: Sequence[Release], names: Sequence[str]) -> Iterator[_Step]:
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
        yield _Step(release, find_package(blobs, names))


def _find_modules(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Return the import paths of the files that differ."""
    paths = (path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    return {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths}


@contextmanager
def _pause_collector() -> Iterator[None]:
    """Collect garbage only between releases: a tree has a million objects, and walking them takes time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
