"""Measure a range of repositories as of some days, into one Parquet file.

The rows of the range are read once, and each metric is one query per day over all its repositories.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.facts import reading
from advisor.facts.database import copy_sql, join_with_commas, open_database, quote
from advisor.facts.store import Store, all_rows_sql, list_files
from advisor.facts.tables import TABLES, columns
from advisor.facts.views import FILLED_FROM_OTHERS, UNIQUE_KEY, VIEWS
from advisor.files import draft_file, publish
from advisor.measure.one_day import (
    create_derived_views,
    create_lookup_tables,
    fill_figures,
    set_requested_repositories,
)
from advisor.measure.seals import write_seal
from advisor.measure.sql import COLUMNS, measurements_sql, read_on_sql
from advisor.metrics import METRICS
from advisor.metrics.shared.views import DERIVED_VIEWS

if TYPE_CHECKING:
    import duckdb

    from advisor.model import Metric


# For so few repositories most time is planning: eight metrics are one query, and no column has an ENUM type.
FEW_REPOSITORIES = 8
QUERIES_AT_ONCE = 8
# Columns with few distinct values. With an ENUM type a query over them takes two thirds of the time.
ENUM_COLUMNS: Mapping[str, Sequence[str]] = {
    "contributions": ("organisation", "source"),
    "co_authorships": ("source",),
    "threads": ("kind", "source"),
    "counts": ("metric", "source"),
    "releases": ("source",),
}


def measure_range(
    store: Store,
    names: Sequence[str],
    days: Sequence[date],
    file: Path,
    settings: Mapping[str, Any],
    lookup_rows: Mapping[str, Sequence[tuple[Any, ...]]],
    metrics: Mapping[str, Metric] = METRICS,
    rows: Sequence[str] = (),
    days_at_once: int = 1,
) -> None:
    """Measure repositories as of some days into a Parquet file with the columns of `sql.COLUMNS`.

    ``rows`` are queries of more measurements for the file; ``days_at_once`` is the number of threads.
    """
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    words = list_query_words(metrics)
    with draft_file(file.parent) as draft:
        with open_database([store.path], settings) as db:
            for table in TABLES:
                reading.check_rows(db, store, list_files(store, table, names))
                load_table(db, store, table, names, words)
            db.execute(f"CREATE TABLE measurements ({columns})")
            with ThreadPoolExecutor(days_at_once) as pool:
                futures = [
                    pool.submit(
                        _measure_days, db.cursor(), names, days[i::days_at_once], lookup_rows, metrics
                    )
                    for i in range(days_at_once)
                ]
                for future in futures:
                    future.result()
            for query in rows:
                db.execute(f"INSERT INTO measurements BY NAME {query}")
            db.execute(copy_sql("SELECT * FROM measurements ORDER BY as_of, metric, repository", draft))
        with draft.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        publish(draft, file)
        write_seal(file, file.name, sha256)


def _measure_days(
    db: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    days: Sequence[date],
    lookup_rows: Mapping[str, Sequence[tuple[Any, ...]]],
    metrics: Mapping[str, Metric],
) -> None:
    """Add the measurements of some days to the table ``measurements``, on a connection of its own."""
    queries_at_once = QUERIES_AT_ONCE if len(names) <= FEW_REPOSITORIES else 1
    create_lookup_tables(db, lookup_rows)
    for day in days:
        reading.set_views(db, day)
        set_requested_repositories(db, names, day)
        create_derived_views(db, day, metrics)
        fill_figures(db, metrics, day, queries_at_once)
        db.execute(f"INSERT INTO measurements {measurements_sql(metrics, day)}")


def list_query_words(metrics: Mapping[str, Metric]) -> set[str]:
    """Return the words of all queries of a run, among them the names of the columns that it reads."""
    texts = [*(metric.sql for metric in metrics.values()), *DERIVED_VIEWS.values(), read_on_sql()]
    return set(re.findall(r"\w+", " ".join([*texts, str([VIEWS, UNIQUE_KEY])])))


def load_table(
    db: duckdb.DuckDBPyConnection,
    store: Store,
    table: str,
    names: Sequence[str],
    words_in_queries: Collection[str],
) -> None:
    """Read the rows of a table into memory, with NULL in columns that no query names.

    Columns with few distinct values get ENUM types, unless the repositories are few: then it takes longer to
    look for the values than it saves.
    """
    rows = all_rows_sql(store, table, names)
    expressions = {c: f"NULL::{kind}" for c, kind in columns(table).items() if c not in words_in_queries}
    for column in ENUM_COLUMNS.get(table, ()) if len(names) > FEW_REPOSITORIES else ():
        kind = f"{table}_{column}"
        words = [
            word
            for (word,) in db.execute(
                f"SELECT DISTINCT {column} FROM ({rows}) WHERE {column} IS NOT NULL ORDER BY {column}"
            ).fetchall()
        ]
        if words:
            db.execute(f"CREATE TYPE {kind} AS ENUM ({join_with_commas(map(quote, words))})")
            repositories = join_with_commas(map(quote, sorted(names)))
            db.execute(f"CREATE TYPE IF NOT EXISTS repository_name AS ENUM ({repositories})")
            expressions |= {column: f"{column}::{kind}", "repository": "repository::repository_name"}
    selection = ", ".join(f"{expressions[c]} AS {c}" if c in expressions else c for c in columns(table))
    db.execute(f"CREATE TABLE all_{table} AS SELECT {selection} FROM ({rows})")
    if table in UNIQUE_KEY:
        _merge_sources(db, table)


def _merge_sources(db: duckdb.DuckDBPyConnection, table: str) -> None:
    """Do the same as `views.merge_sources_sql` in place; a copy would cost as much as reading."""
    keys = UNIQUE_KEY[table]
    several = (
        f"repository IN (SELECT repository FROM all_{table}"
        " GROUP BY repository HAVING min(source) <> max(source))"
    )
    for c in FILLED_FROM_OTHERS.get(table, ()):
        same = " AND ".join(f"all_{table}.{key} = other.{key}" for key in keys.split(", "))
        db.execute(
            f"UPDATE all_{table} SET {c} = other.{c} FROM (SELECT {keys}, max({c}) AS {c} FROM all_{table}"
            f" WHERE {c} IS NOT NULL AND {several} GROUP BY {keys}) AS other"
            f" WHERE all_{table}.{c} IS NULL AND {same}"
        )
    db.execute(
        f"DELETE FROM all_{table} WHERE rowid IN (SELECT rowid FROM all_{table} WHERE {several} QUALIFY"
        f" row_number() OVER (PARTITION BY {keys} ORDER BY source LIKE 'git:%', source) > 1)"
    )
