"""Measure every repository of a store, however many, into Parquet beside its facts.

The store is read range by range (see `partitions.ranges`): a range's rows are read once, each metric is one
query over all of its repositories for each day, and its measurements are one file. What a range needs in
memory does not grow with the store, and DuckDB spills what a range with a giant in it needs more. A range
whose file is there and was made from the same facts and definitions is not measured again: an interrupted
run goes on where it stopped, and after a collection only what changed is measured.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import InputError
from advisor.facts import reading
from advisor.facts.compaction import ranges, rows_by_repository
from advisor.facts.store import Store, all_rows_of, listed, text
from advisor.facts.tables import TABLES, columns
from advisor.facts.views import ONE_ROW_A, TAKEN_OVER, VIEWS
from advisor.files import draft_file, publish, write_atomically
from advisor.measure.cache import FOLDER, definitions_key, digest, facts_key, measurements_key_of_store
from advisor.measure.one_day import ask, known_beside, prepare, share
from advisor.measure.sql import COLUMNS, measurement_sql, read_on_sql
from advisor.metrics import METRICS
from advisor.metrics.shared.views import DERIVED

if TYPE_CHECKING:
    import duckdb

    from advisor.model import Metric

ROWS_A_RANGE = 4_000_000  # about 0.5 GB in memory; every query costs some milliseconds a range
# Columns of few different words: as numbers into a list of words, a query over them takes two thirds.
WORDS: Mapping[str, Sequence[str]] = {
    "contributions": ("organisation", "source"),
    "threads": ("kind", "source"),
    "counts": ("metric", "source"),
    "releases": ("source",),
}


@dataclass(frozen=True)
class Limits:
    """What a measurement may use: bytes of memory as DuckDB writes them, threads, rows at once."""

    memory: str = "2GB"
    threads: int = 2
    rows_a_range: int = ROWS_A_RANGE

    def settings(self, scratch: str) -> dict[str, Any]:
        """Settings of DuckDB, spilling into a folder."""
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([KMGT]i?B)", self.memory)
        if found is None:
            raise InputError(f"{self.memory!r} is no amount of memory; write it as 2GB or 500MB")
        size, unit = found.groups()
        return {
            "memory_limit": f"{float(size) / self.threads}{unit}",
            "threads": 1,
            "temp_directory": f"{scratch}/{threading.get_ident()}",
        }


@dataclass
class Done:
    """What a run did.

    Attributes:
        repositories, rows: measured, by this run or an earlier one; rows of facts.
        ranges, reused: of the store; those of them whose file was there already.
        damages: files that could not be used; their repositories are not measured.
    """

    repositories: int = 0
    rows: int = 0
    ranges: int = 0
    reused: int = 0
    damages: list[reading.Damage] = field(default_factory=list)


def measure_store(
    store: Store,
    days: Sequence[date],
    limits: Limits = Limits(),
    metrics: Mapping[str, Metric] = METRICS,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Done:
    """Measure all repositories of a store as of some days; the index is written last.

    Args:
        store: the facts.
        days: as of when.
        limits: memory and threads.
        metrics: what to measure.
        progress: called with the number of rows of facts done and of all.

    Raises:
        FactsError: a file agrees with its hash and is still not readable.
    """
    from concurrent.futures import ThreadPoolExecutor

    rows = rows_by_repository(store)
    every = sum(rows.values())
    done = Done()
    limits.settings("")  # says what is wrong with them before anything is done
    folder = store.path / FOLDER
    folder.mkdir(exist_ok=True)
    definitions = definitions_key(metrics)
    beside = known_beside()

    def one(names: list[str], scratch: str) -> tuple[list[str], Path, list[reading.Damage], bool]:
        key = digest([definitions, [d.isoformat() for d in days], names, facts_key(store, names)])
        file = folder / f"{key[:32]}.parquet"
        damages = reading.verify(store, names)
        bad = {d.repository for d in damages}
        is_there = file.exists() and not bad
        if not is_there:
            sound = [n for n in names if n not in bad]
            measure_range(store, sound, days, file, limits.settings(scratch), beside, metrics)
        return names, file, damages, is_there

    # A range has a thread to itself: side by side they use the cores better than one query split in two.
    pool = ThreadPoolExecutor(limits.threads)
    files = []
    with tempfile.TemporaryDirectory(prefix="advisor-") as scratch:
        try:
            waiting = [
                pool.submit(one, names, scratch)
                for names in ranges(sorted(store.repositories()), rows, limits.rows_a_range)
            ]
            for some in waiting:
                names, file, damages, is_there = some.result()
                files.append(file.name)
                done.ranges += 1
                done.reused += is_there
                done.damages += damages
                done.repositories += len(names) - len({d.repository for d in damages})
                done.rows += sum(rows[n] for n in names)
                progress(done.rows, every)
        finally:
            pool.shutdown(cancel_futures=True)
    _write_index(store, days, files, done.damages)
    return done


def index_of(
    store: Store, days: Sequence[date], files: Sequence[str], engine: str, damages: Sequence[reading.Damage]
) -> str:
    """The index of the measurements of a store: from what they were made, and where they lie."""
    index = {
        "key": measurements_key_of_store(store),
        "engine": engine,
        "days": [d.isoformat() for d in days],
        "files": list(files),
        "missing": {d.repository: str(d) for d in damages},
    }
    return json.dumps(index, indent=1) + "\n"


def _write_index(
    store: Store, days: Sequence[date], files: Sequence[str], damages: Sequence[reading.Damage]
) -> None:
    folder = store.path / FOLDER
    write_atomically(folder / "index.json", index_of(store, days, files, "duckdb", damages).encode())
    for file in folder.glob("*.parquet"):
        if file.name not in files:
            file.unlink()


def measure_range(
    store: Store,
    names: Sequence[str],
    days: Sequence[date],
    file: Path,
    settings: Mapping[str, Any],
    beside: Mapping[str, Sequence[tuple[Any, ...]]],
    metrics: Mapping[str, Metric] = METRICS,
) -> None:
    """Measure some repositories as of some days into a Parquet file with the columns of `COLUMNS`."""
    import duckdb

    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with draft_file(file.parent) as draft:
        with duckdb.connect(config=dict(settings)) as db:
            for table in TABLES:
                load(db, store, table, names, metrics)
            db.execute(f"CREATE TEMP TABLE measured ({columns})")
            prepare(db, beside)
            for day in days:
                reading.cut(db, day)
                ask(db, names, day)
                share(db, day, metrics)
                for metric in metrics.values():
                    db.execute(f"INSERT INTO measured {measurement_sql(metric, day)}")
            db.execute(
                f"COPY (SELECT * FROM measured ORDER BY as_of, metric, repository) TO {text(str(draft))}"
                " (FORMAT parquet, COMPRESSION zstd)"
            )
        publish(draft, file)


def load(
    db: duckdb.DuckDBPyConnection,
    store: Store,
    table: str,
    names: Sequence[str],
    metrics: Mapping[str, Metric] = METRICS,
) -> None:
    """Read the rows of a table into memory: words as numbers, NULL for columns that no metric names."""
    every = all_rows_of(store, table, names)
    asked = [*(m.sql for m in metrics.values()), *DERIVED.values(), read_on_sql(), str([VIEWS, ONE_ROW_A])]
    named = set(re.findall(r"\w+", " ".join(asked)))
    instead = {c: f"NULL::{kind}" for c, kind in columns(table).items() if c not in named}
    for column in WORDS.get(table, ()):
        kind = f"{table}_{column}"
        words = [
            word
            for (word,) in db.execute(
                f"SELECT DISTINCT {column} FROM ({every}) WHERE {column} IS NOT NULL ORDER BY {column}"
            ).fetchall()
        ]
        if words:
            db.execute(f"CREATE TYPE {kind} AS ENUM ({listed(map(text, words))})")
            db.execute("CREATE TYPE IF NOT EXISTS named AS ENUM (" + listed(map(text, sorted(names))) + ")")
            instead |= {column: f"{column}::{kind}", "repository": "repository::named"}
    seen = ", ".join(f"{instead[c]} AS {c}" if c in instead else c for c in columns(table))
    db.execute(f"CREATE TEMP TABLE all_{table} AS SELECT {seen} FROM ({every})")
    if table in ONE_ROW_A:
        _leave_one_row_each(db, table)


def _leave_one_row_each(db: duckdb.DuckDBPyConnection, table: str) -> None:
    """What `tables.one_row_each` does, in place: writing all rows anew would cost as much as reading."""
    keys = ONE_ROW_A[table]
    several = (
        f"repository IN (SELECT repository FROM all_{table}"
        " GROUP BY repository HAVING min(source) <> max(source))"
    )
    for c in TAKEN_OVER.get(table, ()):
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
