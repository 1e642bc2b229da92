"""Open DuckDB on files that may come from a stranger, and write the paths of files into SQL.

All SQL of advisor runs on a connection from `open_database`, and every path in SQL comes from `path_sql`.
A path is a name and nothing else, but DuckDB would expand its glob characters and read columns out of its
folders (``day=2026-01-01/``).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
# A store decides neither which code DuckDB loads nor where it spills.
_SETTINGS: Mapping[str, Any] = {
    "threads": 2,
    "memory_limit": MEMORY,
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}


def open_database(
    folders: Iterable[Path] = (), settings: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database in memory that reads and writes files only in some folders.

    It loads no extensions, and its settings cannot be changed.

    Args:
        folders: the folders with the files that SQL names.
        settings: DuckDB settings (``memory_limit``, ``temp_directory``, ``threads``); default: two threads,
            2 GB of memory, and no files beyond that.
    """
    import duckdb

    db = duckdb.connect(config={**_SETTINGS, **(settings or {})})
    names = [os.path.realpath(folder) for folder in folders]
    # DuckDB compares the path as it is in SQL and the path that it opens.
    spellings = sorted({f"{spelling}/" for name in names for spelling in (name, glob.escape(name))})
    db.execute(
        f"SET allowed_directories = [{join_with_commas(map(quote, spellings))}];"
        "SET enable_external_access = false; SET lock_configuration = true"
    )
    return db


def path_sql(path: Path) -> str:
    """Return a path to read as an SQL literal that names exactly this file."""
    return _path_sql(path.name, os.path.realpath(path.parent))


def _path_sql(name: str, folder: str) -> str:
    return quote(glob.escape(f"{folder}/{name}"))


def parquet_sql(paths: Sequence[Path], options: str = "") -> str:
    """Return SQL that reads Parquet files; a column that an older file does not have is NULL.

    Args:
        paths: the files.
        options: more options of DuckDB's ``read_parquet``, each after a comma.
    """
    folders = {folder: os.path.realpath(folder) for folder in {path.parent for path in paths}}
    files = join_with_commas(_path_sql(path.name, folders[path.parent]) for path in paths)
    return f"read_parquet([{files}], union_by_name = true, hive_partitioning = false{options})"


def json_sql(paths: Iterable[Path], columns: Mapping[str, str], options: str) -> str:
    """Return SQL that reads JSON files.

    Args:
        paths: the files.
        columns: their columns and DuckDB types.
        options: more options of DuckDB's ``read_json``, each after a comma.
    """
    files = join_with_commas(map(path_sql, paths))
    types = join_with_commas(f"{name}: {quote(kind)}" for name, kind in columns.items())
    return f"read_json([{files}], columns = {{{types}}}, hive_partitioning = false{options})"


def copy_sql(query: str, path: Path) -> str:
    """Return SQL that writes the rows of a query into a Parquet file."""
    # COPY expands no glob characters, so the path is not escaped.
    target = quote(f"{os.path.realpath(path.parent)}/{path.name}")
    return f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd)"


def quote(value: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def join_with_commas(texts: Iterable[str]) -> str:
    """Join SQL expressions with commas."""
    return ", ".join(texts)
