"""Stores into one, exactly: whatever the order, and however often, the same bytes come out.

What one source told of one repository in one reading belongs together (the authors of a history are
numbers that mean nothing beside those of another reading). So of two readings the later one stays
whole; of two on one day the one with the larger hashes, so that the order in which they are met does
not matter.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor import facts
from advisor.errors import FactsError, InputError, SnapshotMissing

FILES_TO_SYNC = 100
"""With more files than these, everything is synced at once instead of each by itself."""


@dataclass(frozen=True)
class Merged:
    """What a merge did: files that are new or newer in the store, and readings that were older."""

    files: int
    older: int


@dataclass(frozen=True)
class _Reading:
    """The files of one repository by one source, as they lie in one store (relative path → entry)."""

    store: Path
    files: Mapping[str, dict[str, Any]]

    def hashes(self) -> tuple[tuple[str, str], ...]:
        return tuple((file, self.files[file]["sha256"]) for file in sorted(self.files))


def merge(store: Path, others: Sequence[Path], *, only: str | None = None, newest: bool = False) -> Merged:
    """Take over what other stores know.

    Args:
        store: the one that grows; it need not be there yet.
        others: the ones to take from; they stay as they are.
        only: the repository to take over; None: all.
        newest: whether the others are known to be later than the store, and each than the one before.

    Raises:
        SnapshotMissing: one of the others is no store.
        FactsError: a file is damaged.
    """
    sources = {path: _manifest(path) for path in others}
    with facts.locked(store):
        try:
            manifest = _manifest(store)
        except SnapshotMissing:
            manifest = {"files": {}}
        mine = _readings(store, manifest)
        best = dict(mine)
        older = 0
        for path, found in sources.items():
            for key, reading in _readings(path, found).items():
                if only is not None and key[0] != only.replace("/", "__", 1):
                    continue
                held = best.get(key)
                if held is not None and held.hashes() == reading.hashes():
                    continue
                older += held is not None
                best[key] = reading if held is None or newest or _age(reading) > _age(held) else held
        taken = [r for key, r in best.items() if r is not mine.get(key)]
        dropped = {
            f for key, r in best.items() if r is not mine.get(key) and key in mine for f in mine[key].files
        }
        files = _take_over(store, manifest, taken, dropped)
    return Merged(files, older)


def _manifest(store: Path) -> dict[str, Any]:
    manifest = facts.read_manifest(store)
    if any("in" in entry for entry in manifest["files"].values()):
        raise InputError(f"{store} is compacted; merge stores first and compact what comes of it")
    return manifest


def _readings(store: Path, manifest: Mapping[str, Any]) -> dict[tuple[str, str], _Reading]:
    """(``owner__name``, part) → its files."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for file, entry in manifest["files"].items():
        repository, _, part = Path(file).stem.partition("@")
        found.setdefault((repository, part), {})[file] = entry
    return {key: _Reading(store, files) for key, files in found.items()}


def _age(reading: _Reading) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The day on which the source was read, then the hashes; larger is newer."""
    import duckdb

    files = [str(reading.store / f) for f in reading.files]
    with duckdb.connect() as db:
        try:
            found = db.execute(
                "SELECT max(retrieved_at) FROM read_parquet($1, union_by_name=true)", [files]
            ).fetchone()
        except duckdb.Error as error:
            raise FactsError(f"a file of {reading.store} is damaged ({error})") from None
    return str(found and found[0]), reading.hashes()


def _take_over(store: Path, manifest: dict[str, Any], taken: Iterable[_Reading], dropped: set[str]) -> int:
    """Lay the files in place and name them in one step of the manifest; readers know old and new ones."""
    known: dict[str, dict[str, Any]] = manifest["files"]
    new = {file: (r.store / file, r.files[file]) for r in taken for file in r.files}
    replaced = [f for f, (_, entry) in new.items() if f in known and known[f]["sha256"] != entry["sha256"]]
    for file in replaced:
        known[file]["next_sha256"] = new[file][1]["sha256"]
    if replaced:
        facts.write_manifest(store, manifest)
    for file, (place, entry) in new.items():
        data = place.read_bytes()
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise FactsError(f"{place} does not agree with its hash in manifest.json; collect it again")
        target = store / file
        if target.exists() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.merging")
        with temporary.open("wb") as written:
            written.write(data)
            if len(new) <= FILES_TO_SYNC:
                written.flush()
                os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    if len(new) > FILES_TO_SYNC:
        os.sync()  # all at once: a sync a file would cost more than all the rest
    kept = {f: e for f, e in known.items() if f not in dropped or f in new}
    manifest["files"] = dict(sorted({**kept, **{f: _clean(e) for f, (_, e) in new.items()}}.items()))
    facts.write_manifest(store, _in_order(manifest))
    for file in dropped - set(new):
        (store / file).unlink(missing_ok=True)
    return len(new)


def _clean(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "next_sha256"}


def _in_order(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The same keys in one order, whatever a store went through: equal content is equal bytes."""
    first = ("schema", "first_day", "as_of")
    return {**dict.fromkeys(first), **dict(sorted(manifest.items()))}
