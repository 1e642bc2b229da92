"""The files of a store and the SQL that reads their rows.

A store is a folder of Parquet files, listed in ``manifest.json``:

- ``<table>/<owner>__<name>.parquet``: one table of one repository;
- ``<table>/<owner>__<name>@<part>.parquet``: the rows of one source, if several sources write to the table;
- ``<table>/partition-<hash>.parquet``: the rows of many such files (see `compaction`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from advisor.facts.database import join_with_commas, parquet_sql, quote
from advisor.facts.tables import NOT_PROJECT_FACTS, columns
from advisor.facts.views import merge_sources_sql


@dataclass(frozen=True)
class Store:
    """A folder of fact tables.

    Attributes:
        path: the folder.
        manifest: content of ``manifest.json``: ``schema``, ``as_of``, ``files``
            (relative path → ``sha256`` of the file, ``in`` (the partition with its rows, if any), ``rows``,
            ``head`` and ``history`` (see `collect.git.history_digest`) if the file comes from a git history)
            and ``partitions`` (relative path → ``sha256``, ``rows``, ``replaced``: the files whose rows
            in the partition are obsolete).
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def as_of(self) -> date:
        """The last day with facts, or a pinned day: the default as-of date."""
        return date.fromisoformat(self.manifest["as_of"])

    @property
    def first_day(self) -> date:
        """The day of the earliest fact."""
        return date.fromisoformat(self.manifest["first_day"])

    def repositories(self) -> list[str]:
        """Return the repositories with at least one file of project facts, sorted by name."""
        names = {r for r, files in self.files.items() if not all(map(is_benchmark_file, files))}
        return sorted(names, key=str.lower)

    def benchmarked_repositories(self) -> list[str]:
        """Return the repositories with benchmarks, sorted."""
        return sorted(r for r, files in self.files.items() if any(map(is_benchmark_file, files)))

    @cached_property
    def files(self) -> Mapping[str, Sequence[str]]:
        """Repository → its files in the manifest."""
        files: dict[str, list[str]] = {}
        for file in self.manifest["files"]:
            files.setdefault(repository_of(file), []).append(file)
        return files

    @cached_property
    def file_counts(self) -> Mapping[str, int]:
        """Partition → number of files of the manifest whose rows it contains."""
        return Counter(entry["in"] for entry in self.manifest["files"].values() if "in" in entry)

    @cached_property
    def file_problems(self) -> dict[str, str]:
        """File → what is wrong with it, "" for nothing; `reading.verify_files` fills it, once for a file."""
        return {}

    @property
    def partitions(self) -> Mapping[str, Any]:
        """Relative path of a partition → its entry in the manifest."""
        entries: Mapping[str, Any] = self.manifest.get("partitions", {})
        return entries


def file_path(table: str, repository: str, part: str = "") -> str:
    """Return the path of a file, relative to the store."""
    return f"{table}/{repository.replace('/', '__', 1)}{'@' + part if part else ''}.parquet"


def is_benchmark_file(file: str) -> bool:
    """Return whether a file of the manifest has benchmarks and not facts about a project."""
    return file.partition("/")[0] in NOT_PROJECT_FACTS


def repository_of(file: str) -> str:
    """Return the repository of a file of the manifest."""
    return parse_file_path(file)[0]


def parse_file_path(file: str) -> tuple[str, str]:
    """Return the repository and the part of a file of the manifest."""
    name, _, part = file.partition("/")[2].removesuffix(".parquet").partition("@")
    return name.replace("__", "/", 1), part


def part_column(table: str) -> str:
    """Return the column of a table's partitions with the part of the file that a row comes from."""
    return "file_part" if "part" in columns(table) else "part"


def rows_sql(store: Store, table: str, repositories: Sequence[str]) -> str:
    """Return SQL of the rows of these repositories in a table, one row per thread or release."""
    return merge_sources_sql(table, all_rows_sql(store, table, repositories))


def all_rows_sql(store: Store, table: str, repositories: Sequence[str]) -> str:
    """Return SQL of all rows of these repositories in a table, from files and partitions."""
    nulls = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns(table).items())
    source = f"SELECT {nulls} WHERE false"
    loose, partitions = split_files(store, table, repositories)
    if loose:
        # Files of an older version do not have the newer columns.
        source += f" UNION ALL BY NAME SELECT * FROM {files_sql(store, loose)}"
    if partitions:
        need_all = all(store.file_counts[name] == count for name, count in partitions.items())
        names = join_with_commas(map(quote, sorted(set(repositories))))
        condition = "true" if need_all else f"repository IN ({names})"
        source += (
            f" UNION ALL BY NAME SELECT * EXCLUDE ({part_column(table)})"
            f" FROM {files_sql(store, sorted(partitions))}"
            f" WHERE {condition} AND {current_rows_condition(store, table, partitions)}"
        )
    # A file of another version may have more columns, and a file of another tool may have other types.
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns(table).items())
    return f"SELECT {casts} FROM ({source})"


def file_rows_sql(store: Store, file: str) -> str:
    """Return SQL of the rows of one file of the manifest in file order, also from its partition."""
    partition = store.manifest["files"][file].get("in")
    if partition is None:
        return f"SELECT * FROM {files_sql(store, [file])}"
    repository, part = parse_file_path(file)
    table = file.partition("/")[0]
    names = join_with_commas(columns(table))
    where = f"repository = {quote(repository)} AND {part_column(table)} = {quote(part)}"
    return f"SELECT {names} FROM {files_sql(store, [partition])} WHERE {where} ORDER BY ALL"


def split_files(store: Store, table: str, repositories: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Split the files of these repositories into separate files and files in partitions.

    Returns:
        The separate files; and partition → number of files of these repositories in it.
    """
    files = list_files(store, table, repositories)
    entries = store.manifest["files"]
    return [f for f in files if "in" not in entries[f]], Counter(
        entries[f]["in"] for f in files if "in" in entries[f]
    )


def list_files(store: Store, table: str, repositories: Iterable[str]) -> list[str]:
    """Return the files of the manifest with a table's rows of these repositories."""
    return [f for r in repositories for f in store.files.get(r, ()) if f.startswith(f"{table}/")]


def files_sql(store: Store, files: Sequence[str]) -> str:
    """Return SQL that reads files of a store; a column that an older file does not have is NULL."""
    return parquet_sql([store.path / file for file in files])


def current_rows_condition(store: Store, table: str, partitions: Iterable[str]) -> str:
    """Return the SQL condition that excludes the replaced rows of partitions."""
    old = [parse_file_path(file) for p in partitions for file in store.partitions[p].get("replaced", ())]
    pairs = join_with_commas(f"({quote(repository)}, {quote(part)})" for repository, part in old)
    return f"(repository, {part_column(table)}) NOT IN ({pairs})" if old else "true"
