"""Measure all repositories of a store of any size, into Parquet files beside its facts.

The store is read range by range (see `compaction.split_into_ranges`). The rows of a range are read once,
each metric is one query per day over all repositories of the range, and the measurements of a range are
one file. The memory for a range does not grow with the store; DuckDB spills to disk if a range has a very
large repository. A range is not measured again if its file exists and was made from the same facts and
definitions, so an interrupted run resumes where it stopped. Of a range that changed, only the repositories
with other facts and the other days are measured; the rest comes from the previous run (see `previous_run`).
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import InputError
from advisor.facts import reading
from advisor.facts.compaction import count_rows_by_repository, split_into_ranges
from advisor.facts.database import (
    default_memory,
    parquet_sql,
)
from advisor.facts.store import Store
from advisor.measure.cache import FOLDER, definitions_key, digest, facts_key, measurements_key_of_store
from advisor.measure.one_day import (
    read_lookup_rows,
)
from advisor.measure.one_range import measure_range
from advisor.measure.previous_run import RUN_FILE, PreviousRun, hash_facts, read_previous_run, write_run
from advisor.measure.seals import is_sealed, write_with_seal
from advisor.metrics import METRICS

if TYPE_CHECKING:
    from advisor.model import Metric

ROWS_PER_RANGE = 4_000_000  # about 0.5 GB in memory; every query costs a few milliseconds per range
# From so many days for each thread on, the threads share a range: larger ranges need less planning.
MANY_DAYS_PER_THREAD = 4
_ROOM = 1.05  # of a range: repositories have no equal sizes, and another small range would cost time


@dataclass(frozen=True)
class Limits:
    """Limits of a measuring run: memory in DuckDB's notation (``2GB``), threads, rows per range."""

    memory: str = field(default_factory=default_memory)
    threads: int = 2
    rows_per_range: int = ROWS_PER_RANGE

    def settings(self, scratch: str, days_at_once: int = 1) -> dict[str, Any]:
        """Return DuckDB's settings for one thread; it spills into the folder ``scratch``.

        Raises:
            InputError: ``memory`` is not an amount of memory.
        """
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([KMGT]i?B)", self.memory)
        if match is None:
            raise InputError(f"invalid memory limit {self.memory!r}: expected an amount such as 2GB or 500MB")
        size, unit = match.groups()
        return {
            "memory_limit": f"{float(size) * days_at_once / self.threads}{unit}",
            "threads": 1,
            "temp_directory": f"{scratch}/{threading.get_ident()}",
        }


@dataclass
class MeasuringSummary:
    """Counts of one run of `measure_store`.

    Attributes:
        repositories: repositories with measurements, from this run or an earlier one.
        rows: rows of facts of these repositories.
        ranges: ranges of the store.
        reused_ranges: ranges whose file existed already.
        damages: files that could not be used; their repositories have no measurements.
    """

    repositories: int = 0
    rows: int = 0
    ranges: int = 0
    reused_ranges: int = 0
    damages: list[reading.Damage] = field(default_factory=list)


def measure_store(
    store: Store,
    days: Sequence[date],
    limits: Limits = Limits(),
    metrics: Mapping[str, Metric] = METRICS,
    progress: Callable[[int, int], None] = lambda _count, _total: None,
) -> MeasuringSummary:
    """Measure all repositories of a store as of some days; write the index last.

    Args:
        store: the facts.
        days: as-of dates.
        limits: memory and threads.
        metrics: metrics to compute.
        progress: called with the number of processed rows of facts and the total.

    Raises:
        InputError: a limit is invalid.
        FactsError: a file matches its hash but cannot be read.
    """
    from concurrent.futures import ThreadPoolExecutor

    has_many_days = len(days) >= MANY_DAYS_PER_THREAD * limits.threads
    job = prepare_job(store, days, limits, metrics, days_at_once=limits.threads if has_many_days else 1)
    # One thread per range: two ranges at a time use the cores better than one query on two threads.
    ranges_at_once = limits.threads // job.days_at_once
    pool = ThreadPoolExecutor(ranges_at_once)
    # A range for each thread, so that all of them have work; the last one may be smaller than the others.
    row_count = sum(job.rows.values())
    rows_per_range = min(limits.rows_per_range, int(_ROOM * row_count / ranges_at_once))
    ranges = []
    with tempfile.TemporaryDirectory(prefix="advisor-") as scratch:
        try:
            futures = [
                pool.submit(measure_names, job, names, scratch)
                for names in job.split_into_ranges(rows_per_range)
            ]
            measured_rows = 0
            for future in futures:
                ranges.append(future.result())
                measured_rows += sum(job.rows[n] for n in ranges[-1].names)
                progress(measured_rows, row_count)
        finally:
            pool.shutdown(cancel_futures=True)
    return finish_job(job, ranges, "duckdb")


@dataclass(frozen=True)
class Job:
    """What each range of a run needs, on this machine or another.

    Attributes:
        store: the facts.
        days: as-of dates.
        limits: memory and threads.
        metrics: metrics to compute.
        definitions: hash of the metrics' definitions.
        previous_run: what an earlier run measured.
        rows: repository → number of its rows of facts.
        lookup_rows: see `one_day.read_lookup_rows`.
        days_at_once: threads of a range, each with its share of the days.
    """

    store: Store
    days: Sequence[date]
    limits: Limits
    metrics: Mapping[str, Metric]
    definitions: str
    previous_run: PreviousRun
    rows: Mapping[str, int]
    lookup_rows: Mapping[str, Sequence[tuple[Any, ...]]]
    days_at_once: int = 1

    def split_into_ranges(self, rows_per_range: int) -> list[list[str]]:
        """Return ranges of repositories with about this many rows each."""
        return list(split_into_ranges(sorted(self.store.repositories()), self.rows, rows_per_range))

    def file_of(self, names: Sequence[str]) -> Path:
        """Return the file for the measurements of some repositories."""
        days = [day.isoformat() for day in self.days]
        key = digest([self.definitions, days, list(names), facts_key(self.store, names)])
        return self.store.path / FOLDER / f"{key[:32]}.parquet"


def prepare_job(
    store: Store,
    days: Sequence[date],
    limits: Limits,
    metrics: Mapping[str, Metric],
    days_at_once: int = 1,
) -> Job:
    """Return the job that measures a store.

    Raises:
        InputError: a limit is invalid.
    """
    limits.settings("")  # reject invalid limits before any work
    (store.path / FOLDER).mkdir(exist_ok=True)
    definitions = definitions_key(metrics)
    return Job(
        store, days, limits, metrics, definitions, read_previous_run(store, definitions),
        count_rows_by_repository(store), read_lookup_rows(), days_at_once,
    )  # fmt: skip


def measure_names(job: Job, names: Sequence[str], scratch: str) -> Range:
    """Measure a range of repositories, or leave its file as it is if the facts are the same."""
    damages = reading.verify_files(job.store, names)
    damaged_names = {d.repository for d in damages}
    intact_names = [n for n in names if n not in damaged_names]
    keys = hash_facts(job.store, intact_names)
    file = job.file_of(intact_names)
    is_reused = is_sealed(file, file.name)
    if not is_reused:
        measure = partial(
            measure_range,
            job.store,
            settings=job.limits.settings(scratch, job.days_at_once),
            lookup_rows=job.lookup_rows,
            metrics=job.metrics,
            days_at_once=job.days_at_once,
        )
        _measure_changes(measure, job.previous_run, keys, job.days, file)
    return Range(list(names), file, keys, damages, is_reused)


def finish_job(job: Job, ranges: Sequence[Range], engine: str) -> MeasuringSummary:
    """Write what the run measured and its index, and remove the files of earlier runs."""
    damages = [damage for one in ranges for damage in one.damages]
    files = {one.file.name: one.keys for one in ranges}
    write_run(job.store, job.definitions, job.days, files)
    _write_index(job.store, job.days, list(files), engine, damages)
    return MeasuringSummary(
        repositories=sum(len(one.keys) for one in ranges),
        rows=sum(job.rows[n] for one in ranges for n in one.names),
        ranges=len(ranges),
        reused_ranges=sum(one.is_reused for one in ranges),
        damages=damages,
    )


@dataclass(frozen=True)
class Range:
    """A measured range: its repositories, its file, the keys of the facts that are in it."""

    names: list[str]
    file: Path
    keys: dict[str, str]
    damages: list[reading.Damage]
    is_reused: bool


def _measure_changes(
    measure: Callable[..., None],
    previous_run: PreviousRun,
    keys: Mapping[str, str],
    days: Sequence[date],
    file: Path,
) -> None:
    """Measure a range with `measure_range`, less what the previous run measured from the same facts."""
    unchanged_names = previous_run.list_unchanged_repositories(keys)
    earlier_days = [day for day in days if day in previous_run.days] if unchanged_names else []
    if not earlier_days:
        measure(list(keys), days, file)
        return
    other_names = sorted(keys.keys() - set(unchanged_names))
    other_days = [day for day in days if day not in previous_run.days]
    rows = list(previous_run.select_rows(unchanged_names, earlier_days))
    if other_names and other_days:
        part = file.with_name(f"part-{file.name}")  # `_write_index` removes it
        measure(other_names, earlier_days, part)
        rows.append(f"SELECT * FROM {parquet_sql([part])}")
    if other_days:
        measure(list(keys), other_days, file, rows=rows)
    else:
        measure(other_names, earlier_days if other_names else [], file, rows=rows)


def _write_index(
    store: Store, days: Sequence[date], files: Sequence[str], engine: str, damages: Sequence[reading.Damage]
) -> None:
    folder = store.path / FOLDER
    index = {
        "key": measurements_key_of_store(store),
        "engine": engine,
        "days": [d.isoformat() for d in days],
        "files": list(files),
        "missing": {d.repository: str(d) for d in damages},
    }
    write_with_seal(folder / "index.json", (json.dumps(index, indent=1) + "\n").encode())
    names = {"index.json", RUN_FILE, *files}
    for file in folder.iterdir():
        # This also removes drafts of killed runs.
        if file.is_file() and file.name.removesuffix(".seal") not in names:
            file.unlink()
