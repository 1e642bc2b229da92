"""Open DuckDB on files that may come from a stranger, and write the paths of files into SQL.

All SQL of advisor runs on a connection from `open_database`, and every path in SQL comes from `path_sql`.
A path is a name and nothing else, but DuckDB would expand its glob characters and read columns out of its
folders (``day=2026-01-01/``).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError
from advisor.memory import read_memory_limit
from advisor.texts import replace_controls

if TYPE_CHECKING:
    import duckdb

MOST_MEMORY = 2 * 10**9  # bytes: what the bundled questions and 800 candidates need several times
MOST_FETCHED_ROWS = 500_000  # of one query, as Python values: about 300 MB
# A store decides neither which code DuckDB loads nor where it spills.
_SETTINGS: Mapping[str, Any] = {
    "threads": 2,
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
            the memory of `default_memory`, and no files beyond that.
    """
    import duckdb

    db = duckdb.connect(config={**_SETTINGS, "memory_limit": default_memory(), **(settings or {})})
    names = [os.path.realpath(folder) for folder in folders]
    # DuckDB compares the path as it is in SQL and the path that it opens.
    spellings = sorted({f"{spelling}/" for name in names for spelling in (name, glob.escape(name))})
    db.execute(
        f"SET allowed_directories = [{join_with_commas(map(quote, spellings))}];"
        "SET enable_external_access = false; SET lock_configuration = true"
    )
    return db


def default_memory() -> str:
    """Return the memory of a database: half of what this process may use, at most 2 GB."""
    return f"{min(MOST_MEMORY, read_memory_limit() // 2) // 10**6}MB"


def fetch_rows(result: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return the rows of a query as Python values, which DuckDB's memory limit does not count.

    Texts come without characters that control a terminal: a stranger may have written them.

    Raises:
        FactsError: there are more than `MOST_FETCHED_ROWS`.
    """
    rows = result.fetchmany(MOST_FETCHED_ROWS + 1)
    if len(rows) > MOST_FETCHED_ROWS:
        raise FactsError(
            f"the facts have more than {MOST_FETCHED_ROWS:,} rows of one kind for these candidates"
        )
    return [tuple(replace_controls(v) if isinstance(v, str) else v for v in row) for row in rows]


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


def table_sql(columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a query with these rows, as literals: for a list as a parameter, DuckDB would import pandas.

    Args:
        columns: name → DuckDB type.
        rows: values of the columns, in order: texts, numbers, dates or None.
    """
    types = list(columns.values())
    lines = [
        f"({', '.join(f'{_literal(v)}::{kind}' for v, kind in zip(row, types, strict=True))})" for row in rows
    ]
    if not lines:
        return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in columns.items())} WHERE false"
    return f"SELECT * FROM (VALUES {', '.join(lines)}) AS literals({', '.join(columns)})"


def _literal(value: str | float | date | None) -> str:
    return "NULL" if value is None else quote(str(value))


def join_with_commas(texts: Iterable[str]) -> str:
    """Join SQL expressions with commas."""
    return ", ".join(texts)
