"""Merge many small files of a store into few sorted partitions.

A partition holds the rows of one table for a range of repositories. Its name is a hash of its content, so
no file is ever overwritten. A compaction writes and syncs the new files, and then replaces the manifest. A
crash at any point leaves a complete store. Files that the manifest no longer lists stay until the next
compaction, because a reader may have opened the store earlier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError
from advisor.facts import reading
from advisor.facts.database import copy_sql, join_with_commas, open_database, parquet_sql, quote
from advisor.facts.manifest import lock_store, read_manifest, write_manifest
from advisor.facts.store import (
    Store,
    current_rows_condition,
    file_path,
    files_sql,
    list_files,
    part_column,
    repository_of,
    split_files,
)
from advisor.facts.tables import DAYS, TABLES, columns
from advisor.files import draft_file, publish

if TYPE_CHECKING:
    import duckdb

ROWS_PER_PARTITION = 1_000_000  # over all tables: about 300 repositories, a few MB per file


@dataclass(frozen=True)
class CompactionSummary:
    """Counts of one compaction: files before and after, rows, and deleted files.

    Attributes:
        removed_files: files on disk that no manifest listed any more.
    """

    files_before: int
    files_after: int
    rows: int
    removed_files: int


def compact_store(
    path: Path,
    rows_per_partition: int = ROWS_PER_PARTITION,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda _count, _total: None,
) -> CompactionSummary:
    """Move the rows of all files of a store into sorted partitions.

    No row and no ``head`` of a history is lost.

    Args:
        path: folder of the store.
        rows_per_partition: approximate number of rows, over all tables, in one partition.
        settings: DuckDB settings (``memory_limit``, ``temp_directory``, ``threads``).
        progress: called with the number of compacted repositories and the total.

    Raises:
        SnapshotMissing: the store does not exist.
        FactsError: a file is damaged.
    """
    read_manifest(path)  # before the lock, which creates the folder
    with lock_store(path):
        store = reading.open_store(path)
        if damages := reading.verify_files(store, store.repositories()):
            raise FactsError("; ".join(map(str, damages)))
        old_files = _files_of(store.manifest)
        names = sorted(store.repositories())
        loose = [f for f, entry in store.manifest["files"].items() if "in" not in entry and entry["rows"]]
        partitions: dict[str, Any] = {}
        count = 0
        is_compact = not loose and not any(p.get("replaced") for p in store.partitions.values())
        rows = count_rows_by_repository(store)
        with open_database([path], settings) as db:
            for table in TABLES:
                reading.check_rows(db, store, list_files(store, table, names))
            for batch in [] if is_compact else split_into_ranges(names, rows, rows_per_partition):
                for table in TABLES:
                    if (sql := _rows_with_parts_sql(store, table, batch)) is not None:
                        partitions |= write_partition(db, path, table, sql)
                count += len(batch)
                progress(count, len(names))
        if not is_compact:
            _write_new_manifest(path, store, partitions)
        manifest = read_manifest(path)
        removed_count = _remove_other_files(path, {*_files_of(manifest), *old_files})
        return CompactionSummary(
            len(old_files), len(_files_of(manifest)), count_rows(manifest), removed_count
        )


def _write_new_manifest(path: Path, store: Store, contents: Mapping[str, Any]) -> None:
    """List the new partitions in the manifest; each file's entry names the partition with its rows."""
    partition_of = {file: name for name, content in contents.items() for file in content["holds"]}
    files = {}
    for file, entry in store.manifest["files"].items():
        rest = {k: v for k, v in entry.items() if k not in {"next_sha256", "in"}}
        # A file without rows is in no partition. Its entry stays: the source was read and had no rows.
        files[file] = {**rest, "in": partition_of[file]} if file in partition_of else entry
    partitions = {
        name: {k: v for k, v in content.items() if k != "holds"} for name, content in sorted(contents.items())
    }
    write_manifest(path, {**store.manifest, "files": files, "partitions": partitions})


def write_partition(db: duckdb.DuckDBPyConnection, path: Path, table: str, sql: str) -> dict[str, Any]:
    """Write and sync the rows of a query as a partition of a table, named after its content.

    Args:
        db: connection that runs the query.
        path: folder of the store.
        table: one of ``TABLES``.
        sql: query with the table's columns and its `part_column`.

    Returns:
        relative path → ``sha256``, ``rows`` and ``holds`` (file of the manifest → ``rows``, ``first_day``,
        ``last_day``); empty if the query has no rows.
    """
    # The sort order is complete, so that equal rows in any order give equal bytes.
    part = part_column(table)
    order = ", ".join(dict.fromkeys(["repository", part, *DAYS[table], "source", *columns(table)]))
    with draft_file(path / table) as draft:
        db.execute(
            copy_sql(f"SELECT {', '.join(columns(table))}, {part} FROM ({sql}) ORDER BY {order}", draft)
        )
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        holds = _read_contents(db, table, draft)
        if not holds:
            return {}
        name = f"{table}/partition-{digest[:16]}.parquet"
        publish(draft, path / name)
        rows = sum(content["rows"] for content in holds.values())
        return {name: {"rows": rows, "sha256": digest, "holds": holds}}


def _read_contents(db: duckdb.DuckDBPyConnection, table: str, file: Path) -> dict[str, dict[str, Any]]:
    first = f"least({', '.join(['NULL', *(f'min({day})' for day in DAYS[table])])})::DATE::VARCHAR"
    last = f"greatest({', '.join(['NULL', *(f'max({day})' for day in DAYS[table])])})::DATE::VARCHAR"
    groups = db.execute(
        f"SELECT repository, {part_column(table)} AS from_part, count(*), {first}, {last}"
        f" FROM {parquet_sql([file])}"
        " GROUP BY repository, from_part ORDER BY repository, from_part"
    ).fetchall()
    return {
        file_path(table, repository, part): {
            "rows": rows,
            **({"first_day": first, "last_day": last} if first else {}),
        }
        for repository, part, rows, first, last in groups
    }


def _rows_with_parts_sql(store: Store, table: str, repositories: Sequence[str]) -> str | None:
    """Return SQL of the table's rows of these repositories, each with its part; None without rows."""
    loose, partitions = split_files(store, table, repositories)
    sources = []
    if loose:
        part = r"coalesce(nullif(regexp_extract(filename, '@([^/]*)\.parquet$', 1), ''), '')"
        files = parquet_sql([store.path / file for file in loose], ", filename = true")
        sources.append(f"SELECT * EXCLUDE (filename), {part} AS {part_column(table)} FROM {files}")
    if partitions:
        names = join_with_commas(map(quote, sorted(repositories)))
        sources.append(
            f"SELECT * FROM {files_sql(store, sorted(partitions))}"
            f" WHERE repository IN ({names}) AND {current_rows_condition(store, table, partitions)}"
        )
    nulls = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns(table).items())
    sources.insert(0, f"SELECT {nulls}, NULL::VARCHAR AS {part_column(table)} WHERE false")
    return " UNION ALL BY NAME ".join(sources) if len(sources) > 1 else None


def count_rows_by_repository(store: Store) -> dict[str, int]:
    """Return the number of rows of each repository in a store."""
    counts: dict[str, int] = {}
    for file, entry in store.manifest["files"].items():
        name = repository_of(file)
        counts[name] = counts.get(name, 0) + int(entry["rows"])
    return counts


def split_into_ranges(
    names: Sequence[str], rows: Mapping[str, int], rows_per_range: int
) -> Iterator[list[str]]:
    """Split sorted names into ranges with about this many rows each."""
    batch: list[str] = []
    total = 0
    for name in names:
        if batch and total + rows[name] > rows_per_range:
            yield batch
            batch, total = [], 0
        batch.append(name)
        total += rows[name]
    if batch:
        yield batch


def count_rows(manifest: Mapping[str, Any]) -> int:
    """Return the number of rows of all files in a manifest."""
    return sum(int(entry["rows"]) for entry in manifest["files"].values())


def _files_of(manifest: Mapping[str, Any]) -> set[str]:
    return {entry.get("in", file) for file, entry in manifest["files"].items()}


def _remove_other_files(path: Path, current_files: set[str]) -> int:
    count = 0
    for table in TABLES:
        # This also removes drafts, whose names begin with a dot: nobody else writes while we hold the lock.
        for file in (path / table).glob("*"):
            if f"{table}/{file.name}" not in current_files:
                file.unlink()
                count += 1
    return count
