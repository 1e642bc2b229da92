"""Open a store, verify its files and read its rows as of a day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts import database
from advisor.facts.checks import check_size, most_bytes, most_rows
from advisor.facts.manifest import read_manifest
from advisor.facts.store import Store, file_path, file_rows_sql, files_sql, list_files, rows_sql
from advisor.facts.tables import TABLES
from advisor.facts.views import as_of_view

if TYPE_CHECKING:
    import duckdb


# A second thread costs more than it saves: the time of small queries is that of planning them.
ROWS_OF_ONE_THREAD = 1_000_000


@dataclass(frozen=True)
class Damage:
    """A file of a store that cannot be used, with the reason."""

    repository: str
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def open_store(path: Path, *, may_lack_days: bool = False) -> Store:
    """Open a store for reading.

    Args:
        path: folder of the store.
        may_lack_days: accept a store without dated rows (for example, with package names only). Such a
            store can be read row by row, but it has no as-of date.

    Raises:
        SnapshotMissing: the store does not exist or has no facts.
        FactsError: its manifest is damaged or has another schema version.
    """
    manifest = read_manifest(path)
    has_days = manifest.get("as_of") and manifest.get("first_day")
    if not manifest["files"] or not (has_days or may_lack_days):
        raise SnapshotMissing(f"the snapshot at {path} has no facts; run `advisor collect` first")
    return Store(path, manifest)


def has_facts_about(path: Path, repositories: Iterable[str]) -> bool:
    """Return whether a store exists at the path and has facts about each of these repositories."""
    try:
        return set(repositories) <= set(open_store(path).repositories())
    except FactsError:
        return False


def open_benchmarks(path: Path) -> Store | None:
    """Open a store to read its benchmarks; return None if it has no benchmarks.

    Raises:
        FactsError: its manifest is damaged or has another schema version.
    """
    try:
        store = Store(path, read_manifest(path))
    except SnapshotMissing:
        return None
    return store if store.benchmarked_repositories() else None


def verify_files(store: Store, repositories: Iterable[str]) -> list[Damage]:
    """Compare the files of these repositories with their hashes; return the damaged ones."""
    damages = []
    reasons = store.file_problems
    for repository in repositories:
        for file in store.files.get(repository, ()):
            entry = store.manifest["files"][file]
            actual_file = entry.get("in", file)
            if actual_file not in reasons:
                path = store.path / actual_file
                reasons[actual_file] = _damage_reason(path, store.partitions.get(actual_file, entry))
            if reasons[actual_file]:
                damages.append(Damage(repository, store.path / actual_file, reasons[actual_file]))
    return damages


def _damage_reason(path: Path, entry: Mapping[str, Any]) -> str:
    try:
        check_size(path, most_bytes(entry))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    sound = digest in {entry["sha256"], entry.get("next_sha256")}
    return "" if sound else "does not match its hash in manifest.json (damaged)"


def open_views(
    store: Store, repositories: Sequence[str], as_of: date, settings: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB on the store with one as-of view per table.

    Only the files of ``repositories`` are read. The view of a table without files is empty.

    Args:
        store: the facts.
        repositories: repositories to read.
        as_of: the views show what was known at the end of this day.
        settings: DuckDB settings (``memory_limit``, ``temp_directory``); default: those of
            `database.open_database`.

    Raises:
        FactsError: a file is not Parquet, has other rows than the manifest says, or rows that do not fit its
            table, or the rows need more memory than the limit.
    """
    import duckdb

    if settings is None and _count_rows(store, repositories) < ROWS_OF_ONE_THREAD:
        settings = {"threads": 1}
    db = database.open_database([store.path], settings)
    for table in TABLES:
        # Copy each table into memory once: about twenty metrics read it.
        try:
            check_rows(db, store, list_files(store, table, repositories))
            db.execute(f"CREATE TEMP TABLE all_{table} AS {rows_sql(store, table, repositories)}")
        except duckdb.Error as error:
            db.close()
            raise FactsError(f"{table} in {store.path} cannot be read: {error}") from None
    set_views(db, as_of)
    return db


def _count_rows(store: Store, repositories: Iterable[str]) -> int:
    files = store.manifest["files"]
    return sum(most_rows(files[file]) for name in repositories for file in store.files.get(name, ()))


def check_rows(db: duckdb.DuckDBPyConnection, store: Store, files: Iterable[str]) -> None:
    """Check that files of one table have no more rows than the manifest says; it reads only their ends.

    Args:
        db: from `database.open_database`.
        store: the facts.
        files: files of the manifest; a file in a partition stands for its partition.

    Raises:
        FactsError: they have more rows.
        duckdb.Error: a file is not Parquet.
    """
    entries = {}
    for file in files:
        entry = store.manifest["files"][file]
        actual_file = entry.get("in", file)
        entries[actual_file] = store.partitions.get(actual_file, entry)
    if not entries:
        return
    most = sum(map(most_rows, entries.values()))
    ((count,),) = db.execute(f"SELECT count(*) FROM {files_sql(store, list(entries))}").fetchall()
    if count > most:
        table = next(iter(entries)).partition("/")[0]
        raise FactsError(
            f"{table} in {store.path} has {count:,} rows, but manifest.json says {most:,}; collect it again"
        )


def set_views(db: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Set the as-of views of an open connection to the end of a day."""
    for table in TABLES:
        view = as_of_view(table, f"all_{table}", f"DATE '{as_of.isoformat()}'")
        db.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {view}")


def read_rows(store: Store, table: str, repository: str, part: str = "") -> list[dict[str, Any]]:
    """Read all rows of one file of one repository, in file order; [] if there is no such file."""
    import duckdb

    file = file_path(table, repository, part)
    if file not in store.manifest["files"]:
        return []
    with database.open_database([store.path]) as db:
        try:
            check_rows(db, store, [file])
            result = db.execute(file_rows_sql(store, file))
        except duckdb.Error as error:
            actual_file = store.manifest["files"][file].get("in", file)
            raise FactsError(f"{store.path / actual_file} is damaged ({error})") from None
        names = [d[0] for d in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
