"""Stores into one, exactly: whatever the order, and however often, the same bytes come out.

What one source told of one repository in one reading belongs together (the authors of a history are
numbers that mean nothing beside those of another reading). So of two readings the later one stays
whole; of two on one day the one with the larger hashes, so that the order in which they are met does
not matter. What lies in a partition is taken out of it as the files that it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts import writing
from advisor.facts.manifest import locked, read_manifest, replace_in_partition, write_manifest
from advisor.facts.store import Store, part_of, rows_of_file

FILES_TO_SYNC = 100
"""With more files than these, everything is synced at once instead of each by itself."""


@dataclass(frozen=True)
class Merged:
    """What a merge did: files that are new or newer in the store, and readings that were older."""

    files: int
    older: int


@dataclass(frozen=True)
class _Reading:
    """The files of one repository by one source, as they lie in one store."""

    store: Store
    files: Sequence[str]

    def entry(self, file: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.store.manifest["files"][file]
        return found

    def hashes(self) -> list[tuple[str, str]]:
        return [(file, self.entry(file).get("sha256") or self.digest(file)) for file in self.files]

    def digest(self, file: str) -> str:
        """Hash of what `data` gives."""
        entry = self.entry(file)
        return _digest(self.data(file)) if "in" in entry else str(entry["sha256"])

    def data(self, file: str) -> bytes:
        """The bytes of a file, as they lie there or out of a partition.

        Raises:
            FactsError: they do not agree with the manifest.
        """
        entry = self.entry(file)
        if "in" in entry:
            _check(self.store.path / entry["in"], self.store.partitions[entry["in"]]["sha256"])
            return writing.encode(rows_of_file(self.store, file))
        data = (self.store.path / file).read_bytes()
        if _digest(data) != entry["sha256"]:
            raise _damaged(self.store.path / file)
        return data

    def age(self) -> tuple[str, list[tuple[str, str]]]:
        """The day on which the source was read, then the hashes; larger is newer."""
        import duckdb

        days = " UNION ALL ".join(
            f"SELECT retrieved_at FROM ({rows_of_file(self.store, f)})" for f in self.files
        )
        with duckdb.connect() as db:
            try:
                found = db.execute(f"SELECT max(retrieved_at) FROM ({days})").fetchone()
            except duckdb.Error as error:
                raise FactsError(f"a file of {self.store.path} is damaged ({error})") from None
        return str(found and found[0]), self.hashes()


def merge(store: Path, others: Sequence[Path], *, newest: bool = False) -> Merged:
    """Take over what other stores know.

    Args:
        store: the one that grows; it need not be there yet.
        others: the ones to take from; they stay as they are.
        newest: whether the others are known to be later than the store, and each than the one before.

    Raises:
        SnapshotMissing: one of the others is no store.
        FactsError: a file is damaged.
    """
    sources = [Store(path, read_manifest(path)) for path in others]
    with locked(store):
        here = _store(store)
        mine = _readings(here)
        best = dict(mine)
        older = 0
        for source in sources:
            for key, reading in _readings(source).items():
                held = best.get(key)
                if held is not None and held.hashes() == reading.hashes():
                    continue
                older += held is not None
                best[key] = reading if held is None or newest or reading.age() > held.age() else held
        taken = {key: r for key, r in best.items() if r is not mine.get(key)}
        old = [file for key in taken if key in mine for file in mine[key].files]
        return Merged(_take_over(here, list(taken.values()), old), older)


def copy_of(repository: str, source: Store, store: Path) -> None:
    """Make a store of what another one knows of one repository."""
    with locked(store):
        _take_over(Store(store, {"files": {}}), list(_readings(source, [repository]).values()), [])


def _store(path: Path) -> Store:
    try:
        return Store(path, read_manifest(path))
    except SnapshotMissing:
        return Store(path, {"files": {}})


def _readings(store: Store, repositories: Iterable[str] | None = None) -> dict[tuple[str, str], _Reading]:
    """(repository, part) → its files, of all repositories where none are named."""
    found: dict[tuple[str, str], list[str]] = {}
    for repository in store.files if repositories is None else repositories:
        for file in sorted(store.files.get(repository, ())):
            found.setdefault(part_of(file), []).append(file)
    return {key: _Reading(store, files) for key, files in found.items()}


def _take_over(store: Store, taken: Sequence[_Reading], old: Sequence[str]) -> int:
    """Lay the files in place and name them in one step of the manifest; readers know old and new ones.

    Args:
        store: the one that grows.
        taken: what it takes.
        old: its files that these stand in for.

    Returns:
        how many files it took.
    """
    manifest = dict(store.manifest)
    known: dict[str, dict[str, Any]] = manifest["files"]
    new = {file: reading for reading in taken for file in reading.files}
    lying = [file for file in old if "in" not in known[file]]
    if replaced := [file for file in lying if file in new]:
        for file in replaced:
            known[file]["next_sha256"] = new[file].digest(file)
        write_manifest(store.path, manifest)
    entries = {f: _lay(store.path / f, r.data(f), r.entry(f), len(new)) for f, r in new.items()}
    if len(new) > FILES_TO_SYNC:
        os.sync()  # all at once: a sync a file would cost more than all the rest
    for file in set(old) - set(lying):
        replace_in_partition(manifest, file)
    kept = {file: entry for file, entry in known.items() if file not in old}
    manifest["files"] = dict(sorted({**kept, **entries}.items()))
    write_manifest(store.path, _in_order(manifest))
    for file in set(lying) - set(new):
        (store.path / file).unlink(missing_ok=True)
    return len(new)


def _lay(target: Path, data: bytes, entry: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Write a file, one of so many, and say what the manifest shall say of it."""
    if not (target.exists() and target.read_bytes() == data):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.merging")
        with temporary.open("wb") as written:
            written.write(data)
            if count <= FILES_TO_SYNC:
                written.flush()
                os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    kept = {key: value for key, value in entry.items() if key not in {"in", "next_sha256"}}
    return {**kept, "sha256": _digest(data)}


def _in_order(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The same keys in one order, whatever a store went through: equal content is equal bytes."""
    first = ("schema", "first_day", "as_of")
    return {**dict.fromkeys(first), **dict(sorted(manifest.items()))}


@cache
def _check(partition: Path, sha256: str) -> None:
    """Compare a partition with its hash, once: its name is its content, so it is never written over."""
    if _digest(partition.read_bytes()) != sha256:
        raise _damaged(partition)


def _damaged(path: Path) -> FactsError:
    return FactsError(f"{path} does not agree with its hash in manifest.json; collect it again")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
