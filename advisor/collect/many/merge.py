"""Merge stores: the result has the same bytes in any order, and a repeated merge changes nothing.

A reading is all files of one repository that one source wrote at once. Its files belong together: for
example, the numbers of authors are valid only within one reading of a history. So a merge keeps whole
readings: the later one, or on the same day the one with the larger hashes, so that the order does not matter.
A file in a partition is extracted again as the file that it was.
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
from advisor.facts import reading, writing
from advisor.facts.database import open_database
from advisor.facts.manifest import lock_store, read_manifest, replace_in_partition, write_manifest
from advisor.facts.store import Store, file_rows_sql, parse_file_path
from advisor.files import write_atomically

FILES_TO_SYNC = 100
"""A merge of more files syncs once at the end instead of once per file."""


@dataclass(frozen=True)
class MergeSummary:
    """Counts of a merge.

    Attributes:
        files: files that are new or newer in the store.
        older: readings that were skipped or replaced because another one was newer.
    """

    files: int
    older: int


@dataclass(frozen=True)
class _Reading:
    """The files of one repository from one source in one store."""

    store: Store
    files: Sequence[str]

    def manifest_entry(self, file: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] = self.store.manifest["files"][file]
        return entry

    def list_hashes(self) -> list[tuple[str, str]]:
        return [
            (file, self.manifest_entry(file).get("sha256") or self.hash_file(file)) for file in self.files
        ]

    def hash_file(self, file: str) -> str:
        """Return the SHA-256 of `read_bytes`."""
        entry = self.manifest_entry(file)
        return _hash_bytes(self.read_bytes(file)) if "in" in entry else str(entry["sha256"])

    def read_bytes(self, file: str) -> bytes:
        """Return the bytes of a file, extracted from its partition if it has one.

        Raises:
            FactsError: the bytes do not match the hash in the manifest.
        """
        entry = self.manifest_entry(file)
        if "in" in entry:
            _check_partition(self.store.path / entry["in"], self.store.partitions[entry["in"]]["sha256"])
            return writing.encode_parquet(file_rows_sql(self.store, file), self.store.path)
        data = (self.store.path / file).read_bytes()
        if _hash_bytes(data) != entry["sha256"]:
            raise _build_error(self.store.path / file)
        return data

    def age_key(self) -> tuple[str, list[tuple[str, str]]]:
        """Return a sort key, the retrieval day and then the hashes: the larger key is newer."""
        import duckdb

        days = " UNION ALL ".join(
            f"SELECT retrieved_at FROM ({file_rows_sql(self.store, f)})" for f in self.files
        )
        with open_database([self.store.path]) as db:
            try:
                for file in self.files:
                    reading.check_rows(db, self.store, [file])
                row = db.execute(f"SELECT max(retrieved_at) FROM ({days})").fetchone()
            except duckdb.Error as error:
                raise FactsError(f"a file of {self.store.path} is damaged ({error})") from None
        return str(row and row[0]), self.list_hashes()


def merge_stores(store: Path, others: Sequence[Path], *, newest: bool = False) -> MergeSummary:
    """Merge other stores into a store.

    Args:
        store: the store to change; it is created if it does not exist.
        others: stores to read; they stay unchanged.
        newest: whether every other store is newer than the store and than the others before it.

    Raises:
        SnapshotMissing: one of the others is not a store.
        FactsError: a file is damaged.
    """
    sources = [_open_other(path) for path in others]
    with lock_store(store):
        target = _open_or_create(store)
        own_readings = _group_readings(target)
        best = dict(own_readings)
        older = 0
        for source in sources:
            for key, other in _group_readings(source).items():
                rival = best.get(key)
                if rival is not None and rival.list_hashes() == other.list_hashes():
                    continue
                older += rival is not None
                if rival is None or newest or other.age_key() > rival.age_key():
                    best[key] = other
        new_readings = {key: r for key, r in best.items() if r is not own_readings.get(key)}
        old_files = [f for key in new_readings if key in own_readings for f in own_readings[key].files]
        return MergeSummary(_copy_readings(target, list(new_readings.values()), old_files), older)


def copy_repository(repository: str, source: Store, store: Path) -> None:
    """Create a store with the facts of one repository from another store."""
    with lock_store(store):
        _copy_readings(Store(store, {"files": {}}), list(_group_readings(source, [repository]).values()), [])


def _open_other(path: Path) -> Store:
    """Open a store to read all its files, each of which is as the manifest says.

    Raises:
        FactsError: a file is damaged.
    """
    store = Store(path, read_manifest(path))
    if damages := reading.verify_files(store, store.files):
        raise FactsError("; ".join(map(str, damages)))
    return store


def _open_or_create(path: Path) -> Store:
    try:
        return Store(path, read_manifest(path))
    except SnapshotMissing:
        return Store(path, {"files": {}})


def _group_readings(
    store: Store, repositories: Iterable[str] | None = None
) -> dict[tuple[str, str], _Reading]:
    """Return (repository, part) → reading; of all repositories by default."""
    files_by_key: dict[tuple[str, str], list[str]] = {}
    for repository in store.files if repositories is None else repositories:
        for file in sorted(store.files.get(repository, ())):
            files_by_key.setdefault(parse_file_path(file), []).append(file)
    return {key: _Reading(store, files) for key, files in files_by_key.items()}


def _copy_readings(store: Store, readings: Sequence[_Reading], old_files: Sequence[str]) -> int:
    """Write the files, then replace the manifest once; at every step the store is readable.

    Args:
        store: the store to change.
        readings: readings to copy into it.
        old_files: files of the store that the readings replace.

    Returns:
        number of files copied.
    """
    manifest = dict(store.manifest)
    old_entries: dict[str, dict[str, Any]] = manifest["files"]
    new = {file: reading for reading in readings for file in reading.files}
    loose_files = [file for file in old_files if "in" not in old_entries[file]]
    if overwritten_files := [file for file in loose_files if file in new]:
        for file in overwritten_files:
            old_entries[file]["next_sha256"] = new[file].hash_file(file)
        write_manifest(store.path, manifest)
    entries = {
        f: _write_file(store.path / f, r.read_bytes(f), r.manifest_entry(f), len(new)) for f, r in new.items()
    }
    if len(new) > FILES_TO_SYNC:
        os.sync()  # one sync: a sync per file would take longer than the rest of the merge
    for file in set(old_files) - set(loose_files):
        replace_in_partition(manifest, file)
    other_entries = {file: entry for file, entry in old_entries.items() if file not in old_files}
    manifest["files"] = dict(sorted({**other_entries, **entries}.items()))
    write_manifest(store.path, _sort_keys(manifest))
    for file in set(loose_files) - set(new):
        (store.path / file).unlink(missing_ok=True)
    return len(new)


def _write_file(target: Path, data: bytes, entry: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Write one of ``count`` files and return its entry in the manifest."""
    if not (target.exists() and target.read_bytes() == data):
        write_atomically(target, data, sync=count <= FILES_TO_SYNC)
    other_keys = {key: value for key, value in entry.items() if key not in {"in", "next_sha256"}}
    return {**other_keys, "sha256": _hash_bytes(data)}


def _sort_keys(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest with sorted keys, so that equal content gives equal bytes."""
    first = ("schema", "first_day", "as_of")
    return {**dict.fromkeys(first), **dict(sorted(manifest.items()))}


@cache
def _check_partition(partition: Path, sha256: str) -> None:
    """Check the hash of a partition, once per process: a partition never changes."""
    if _hash_bytes(partition.read_bytes()) != sha256:
        raise _build_error(partition)


def _build_error(path: Path) -> FactsError:
    return FactsError(f"{path} does not match its hash in manifest.json: collect it again")


def _hash_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
