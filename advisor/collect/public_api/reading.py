"""Read the public API of one release after another, and keep what an earlier run read."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from advisor.collect import parts
from advisor.collect.git.dates import Warn
from advisor.collect.public_api.changes import find_changes
from advisor.collect.public_api.names import Api, forget_trees, read_api
from advisor.collect.public_api.package_files import Contents, Package, limit_files
from advisor.collect.public_api.package_tree import TreeReader
from advisor.collect.public_api.releases import Release
from advisor.collect.public_api.timeline import Timeline
from advisor.errors import SnapshotMissing, Unsound
from advisor.facts import reading, writing
from advisor.facts.store import file_path

NO_PACKAGE = "the release has no Python package"
_RULES = 5
"""Raise it when the same files give other rows: then all releases are read again."""
_TABLES = {"api_names": "names", "api_changes": "changes", "api_releases": "releases"}
_PROVENANCE = {"repository", "source", "retrieved_at"}
_PROGRESS_EVERY = 20
_MAX_GARBAGE = 500
"""Files of releases whose trees are still in memory: to find them takes time."""


class Step(NamedTuple):
    """A release with its import package; without one, the reason."""

    release: Release
    package: Package | None
    reason: str = NO_PACKAGE


def describe_reader() -> str:
    """Return what reads the files, for the source of the rows."""
    return f"(griffe {version('griffelib')}, rules {_RULES})"


def read_timeline(store: Path, name: str) -> Timeline:
    """Return what an earlier run read by the same rules; an empty timeline if there is nothing."""
    timeline = Timeline()
    if len({_find_state(store, table, name) for table in _TABLES}) > 1:
        return timeline  # that run stopped between two tables
    for table, attribute in _TABLES.items():
        for row in parts.read_part(store, table, name, ""):
            if not row["source"].endswith(describe_reader()):
                return Timeline()
            values = {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
            getattr(timeline, attribute).append({k: v for k, v in values.items() if k not in _PROVENANCE})
    timeline.releases.sort(key=lambda row: row["released_on"])
    return timeline


def _find_state(store: Path, table: str, name: str) -> tuple[str | None, str | None]:
    try:
        files = reading.open_store(store, may_lack_days=True).manifest["files"]
    except SnapshotMissing:
        return None, None
    entry = files.get(file_path(table, name), {})
    return entry.get("head"), entry.get("history")


def write_timeline(store: Path, name: str, timeline: Timeline, source: str, day: date, **state: str) -> None:
    """Replace the rows about the public API of a repository.

    Args:
        store: folder of fact tables.
        name: ``owner/name``.
        timeline: the rows.
        source: where the files come from.
        day: retrieval day.
        state: the state of the source for the manifest, the same for all tables: ``head`` is a commit, and
            ``history`` a hash of another list of releases.
    """
    provenance = {
        "repository": name,
        "source": f"{source} {describe_reader()}",
        "retrieved_at": day.isoformat(),
    }
    for table, attribute in _TABLES.items():
        rows = [{**row, **provenance} for row in getattr(timeline, attribute)]
        writing.write_rows(store, table, name, rows, **state)


def report_timeline(name: str, timeline: Timeline, progress: Callable[[str], None], warn: Warn) -> None:
    """Tell a person how much is known, and why the rest is not."""
    reasons = [row["reason"] for row in timeline.releases if row["reason"] is not None]
    progress(f"{name}: {len(timeline.releases)} releases, {len(timeline.changes)} incompatible changes")
    if reasons:
        warn(f"the public API of {len(reasons)} releases is unknown: {reasons[-1]}")


def read_releases(
    steps: Iterable[Step],
    contents: Contents,
    timeline: Timeline,
    base: Release | None,
    count: int,
    progress: Callable[[str], None],
) -> None:
    """Add releases to a timeline.

    Args:
        steps: the releases, oldest first.
        contents: the contents of their files, at least while the step is the newest one.
        timeline: receives the rows.
        base: the first of the releases if the timeline has it; the next one is compared with it.
        count: number of releases.
        progress: receives progress lines for a person.
    """
    old: Api | None = None
    old_files: Mapping[str, str] = {}
    with _pause_collector():
        reader, garbage = TreeReader(contents.read_text), 0
        for number, (release, package, reason) in enumerate(steps, 1):
            if package is None:
                timeline.add_unknown(release, reason)
                continue
            try:
                files = limit_files(package, contents)
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
                progress(f"release {number} of {count}: {release.version}")


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
