"""Many small files into few sorted ones: a partition is one file a table for a range of repositories.

A file of a partition is named after its content, so none is ever overwritten: the new files are written
and synced, then the manifest that names them replaces the old one, and a crash at any point leaves a store
that is whole. What the manifest no longer names lies there until the next compaction, for those who
opened the store before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError
from advisor.facts import reading
from advisor.facts.manifest import locked, read_manifest, write_manifest
from advisor.facts.store import Store, file_of, listed, not_replaced, parquet, repository_of, split, text
from advisor.facts.tables import DAYS, TABLES, columns
from advisor.files import draft_file, publish

if TYPE_CHECKING:
    import duckdb

ROWS_A_PARTITION = 1_000_000  # over all tables: some 300 repositories, a few MB a file


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: files before and after, rows, and files removed that were named no more."""

    files_before: int
    files_after: int
    rows: int
    removed: int


def compact(
    path: Path,
    rows_a_partition: int = ROWS_A_PARTITION,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Compacted:
    """Move the rows of all files of a store into sorted partitions; every row and every head stays.

    Args:
        path: the store.
        rows_a_partition: about how many rows, over all tables, share a partition.
        settings: of DuckDB (``memory_limit``, ``temp_directory``, ``threads``).
        progress: called with the number of repositories done and of all.

    Raises:
        SnapshotMissing: there is no store.
        FactsError: a file is damaged.
    """
    import duckdb

    with locked(path):
        store = reading.open_store(path)
        if damages := reading.verify(store, store.repositories()):
            raise FactsError("; ".join(map(str, damages)))
        named = set(_files_of(store.manifest))
        names = sorted(store.repositories())
        loose = [f for f, entry in store.manifest["files"].items() if "in" not in entry and entry["rows"]]
        found: dict[str, Any] = {}
        done = 0
        whole = not loose and not any(p.get("replaced") for p in store.partitions.values())
        with duckdb.connect(config={"threads": 2, **(settings or {})}) as db:
            for some in [] if whole else ranges(names, rows_by_repository(store), rows_a_partition):
                for table in TABLES:
                    if (sql := _with_parts(store, table, some)) is not None:
                        found |= write_partition(db, path, table, sql)
                done += len(some)
                progress(done, len(names))
        if not whole:
            _switch(path, store, found)
        manifest = read_manifest(path)
        removed = _remove_all_but(path, {*_files_of(manifest), *named})
        return Compacted(len(named), len(_files_of(manifest)), rows_in(manifest), removed)


def _switch(path: Path, store: Store, found: Mapping[str, Any]) -> None:
    """Name the new files in the manifest; each entry says in which of them its rows lie."""
    where = {file: name for name, about in found.items() for file in about["holds"]}
    files = {}
    for file, entry in store.manifest["files"].items():
        known = {k: v for k, v in entry.items() if k not in {"next_sha256", "in"}}
        # A file without rows has no place in a partition; that its source was read and empty is kept.
        files[file] = {**known, "in": where[file]} if file in where else entry
    partitions = {
        name: {k: v for k, v in about.items() if k != "holds"} for name, about in sorted(found.items())
    }
    write_manifest(path, {**store.manifest, "files": files, "partitions": partitions})


def write_partition(db: duckdb.DuckDBPyConnection, path: Path, table: str, sql: str) -> dict[str, Any]:
    """Write the rows of a query as a partition of a table, synced, under the name of its content.

    Args:
        db: where the query runs.
        path: the store.
        table: one of ``TABLES``.
        sql: has the table's columns and ``part``.

    Returns:
        relative path → ``sha256``, ``rows`` and ``holds`` (file of the manifest → ``rows``, ``first_day``,
        ``last_day``); empty where the query has no rows.
    """
    # Equal rows in any order give equal bytes: nothing is left to chance in the order.
    order = ", ".join(dict.fromkeys(["repository", "part", *DAYS[table], "source", *columns(table)]))
    with draft_file(path / table) as draft:
        db.execute(
            f"COPY (SELECT {', '.join(columns(table))}, part FROM ({sql}) ORDER BY {order})"
            f" TO {text(str(draft))} (FORMAT parquet, COMPRESSION zstd)"
        )
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        holds = _held_by(db, table, str(draft))
        if not holds:
            return {}
        name = f"{table}/partition-{digest[:16]}.parquet"
        publish(draft, path / name)
        rows = sum(about["rows"] for about in holds.values())
        return {name: {"rows": rows, "sha256": digest, "holds": holds}}


def _held_by(db: duckdb.DuckDBPyConnection, table: str, file: str) -> dict[str, dict[str, Any]]:
    first = f"least({', '.join(['NULL', *(f'min({day})' for day in DAYS[table])])})::DATE::VARCHAR"
    last = f"greatest({', '.join(['NULL', *(f'max({day})' for day in DAYS[table])])})::DATE::VARCHAR"
    found = db.execute(
        f"SELECT repository, part, count(*), {first}, {last} FROM read_parquet({text(file)})"
        " GROUP BY repository, part ORDER BY repository, part"
    ).fetchall()
    return {
        file_of(table, repository, part): {
            "rows": rows,
            **({"first_day": first, "last_day": last} if first else {}),
        }
        for repository, part, rows, first, last in found
    }


def _with_parts(store: Store, table: str, repositories: Sequence[str]) -> str | None:
    """SQL of the table's rows of these repositories with the part that each belongs to."""
    loose, partitions = split(store, table, repositories)
    sources = []
    if loose:
        part = r"coalesce(nullif(regexp_extract(filename, '@([^/]*)\.parquet$', 1), ''), '')"
        files = listed(text(str(store.path / f)) for f in loose)
        sources.append(
            f"SELECT * EXCLUDE (filename), {part} AS part"
            f" FROM read_parquet([{files}], union_by_name=true, filename=true)"
        )
    if partitions:
        names = listed(map(text, sorted(repositories)))
        sources.append(
            f"SELECT * FROM {parquet(store, sorted(partitions))}"
            f" WHERE repository IN ({names}) AND {not_replaced(store, partitions)}"
        )
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns(table).items())
    sources.insert(0, f"SELECT {nothing}, NULL::VARCHAR AS part WHERE false")
    return " UNION ALL BY NAME ".join(sources) if len(sources) > 1 else None


def rows_by_repository(store: Store) -> dict[str, int]:
    """Number of rows that a store holds of each repository."""
    found: dict[str, int] = {}
    for file, entry in store.manifest["files"].items():
        name = repository_of(file)
        found[name] = found.get(name, 0) + int(entry["rows"])
    return found


def ranges(names: Sequence[str], rows: Mapping[str, int], rows_a_range: int) -> Iterator[list[str]]:
    """Cut sorted names into runs of about so many rows each."""
    some: list[str] = []
    total = 0
    for name in names:
        if some and total + rows[name] > rows_a_range:
            yield some
            some, total = [], 0
        some.append(name)
        total += rows[name]
    if some:
        yield some


def rows_in(manifest: Mapping[str, Any]) -> int:
    """Number of rows that a manifest names."""
    return sum(int(entry["rows"]) for entry in manifest["files"].values())


def _files_of(manifest: Mapping[str, Any]) -> set[str]:
    return {entry.get("in", file) for file, entry in manifest["files"].items()}


def _remove_all_but(path: Path, named: set[str]) -> int:
    removed = 0
    for table in TABLES:
        # Half-written ones begin with a dot; nobody else writes while the store is held.
        for file in (path / table).glob("*"):
            if f"{table}/{file.name}" not in named:
                file.unlink()
                removed += 1
    return removed
