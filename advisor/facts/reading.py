"""Open a store, check its files and read its rows as of a day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts.store import Store, file_of, rows_of, rows_of_file
from advisor.facts.tables import TABLES
from advisor.facts.views import as_of_view

if TYPE_CHECKING:
    import duckdb
from advisor.facts.manifest import read_manifest


@dataclass(frozen=True)
class Damage:
    """A file of a store that cannot be used, and why."""

    repository: str
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def open_store(path: Path, *, may_lack_days: bool = False) -> Store:
    """Open a store for reading.

    Args:
        path: its folder.
        may_lack_days: whether a store will do that can only be read row by row, since nothing in it
            has a day (whose packages these are, and nothing else yet).

    Raises:
        SnapshotMissing: there is none.
        FactsError: its manifest is damaged or of another schema.
    """
    manifest = read_manifest(path)
    if not manifest["files"] or not (manifest.get("as_of") or may_lack_days):
        raise SnapshotMissing(f"the snapshot at {path} holds no facts; run `advisor collect` first")
    return Store(path, manifest)


def knows_all(path: Path, repositories: Iterable[str]) -> bool:
    """Whether there is a store at the path with facts about each of these."""
    try:
        return set(repositories) <= set(open_store(path).repositories())
    except FactsError:
        return False


def open_benchmarks(path: Path) -> Store | None:
    """A store for the sake of what was measured on machines; None where it holds nothing of that.

    Raises:
        FactsError: its manifest is damaged or of another schema.
    """
    if not (path / "manifest.json").is_file():
        return None
    store = Store(path, read_manifest(path))
    return store if store.benched() else None


def verify(store: Store, repositories: Iterable[str]) -> list[Damage]:
    """Compare the files of these repositories with their hashes; return what does not agree."""
    found = []
    reasons: dict[str, str] = {}
    for repository in repositories:
        for file in store.files.get(repository, ()):
            entry = store.manifest["files"][file]
            held = entry.get("in", file)
            if held not in reasons:
                reasons[held] = _wrong_with(store.path / held, store.partitions.get(held, entry))
            if reasons[held]:
                found.append(Damage(repository, store.path / held, reasons[held]))
    return found


def _wrong_with(path: Path, entry: Mapping[str, Any]) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    sound = digest in {entry["sha256"], entry.get("next_sha256")}
    return "" if sound else "does not agree with its hash in manifest.json (damaged)"


def connect(
    store: Store, repositories: Sequence[str], as_of: date, settings: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB on the store with one view a table, cut at the end of ``as_of``.

    Only the files of ``repositories`` are read. A table without a file is an empty view.

    Args:
        store: the facts.
        repositories: whose.
        as_of: the day at whose end the views are cut.
        settings: of DuckDB, in place of two threads and no limit (``memory_limit``, ``temp_directory``).

    Raises:
        FactsError: a file is no Parquet, or holds what is no row of its table.
    """
    import duckdb

    db = duckdb.connect(config={"threads": 2, **(settings or {})})
    for table in TABLES:
        # Copied once into memory: some twenty metrics read each table.
        try:
            db.execute(f"CREATE TEMP TABLE all_{table} AS {rows_of(store, table, repositories)}")
        except duckdb.Error as error:
            db.close()
            raise FactsError(f"{table} in {store.path} cannot be read: {error}") from None
    cut(db, as_of)
    return db


def cut(db: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Set the views of an open connection to the end of a day."""
    for table in TABLES:
        view = as_of_view(table, f"all_{table}", f"DATE '{as_of.isoformat()}'")
        db.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {view}")


def read(store: Store, table: str, repository: str, part: str = "") -> list[dict[str, Any]]:
    """All rows of one file of one repository, in the order of the file; [] where there is none."""
    import duckdb

    file = file_of(table, repository, part)
    if file not in store.manifest["files"]:
        return []
    with duckdb.connect() as db:
        try:
            found = db.execute(rows_of_file(store, file))
        except duckdb.Error as error:
            held = store.manifest["files"][file].get("in", file)
            raise FactsError(f"{store.path / held} is damaged ({error})") from None
        names_found = [d[0] for d in found.description]
        return [dict(zip(names_found, row, strict=True)) for row in found.fetchall()]
