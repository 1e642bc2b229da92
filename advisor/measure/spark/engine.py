"""Measure every repository of a store on Spark: one job, whose tasks are ranges of repositories.

A task measures its range with DuckDB, as `advisor measure` does on one machine, so both engines write the
same bytes. A range of sorted names reads only its own partitions of the facts. A range is skipped if its
file exists, and of a range that changed only the repositories with other facts are measured.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.facts.store import Store
from advisor.measure.address import is_address, local_copy, open_address, put_file, range_copy
from advisor.measure.cache import FOLDER
from advisor.measure.previous_run import hash_facts
from advisor.measure.seals import is_sealed, write_seal
from advisor.measure.spark.session import default_master, open_session
from advisor.measure.whole_store import (
    Job,
    Limits,
    MeasuringSummary,
    Range,
    finish_job,
    measure_names,
    prepare_job,
)
from advisor.metrics import METRICS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from advisor.model import Metric

# Rows of facts of a task: few enough for many executors, and so many that its 70 queries are worth it. The
# number does not depend on the cluster, so that a run on another cluster finds the same files.
ROWS_PER_TASK = 1_000_000
_POLL_SECONDS = 0.5


def measure_on_spark(
    address: str,
    days: Sequence[date] | None = None,
    master: str | None = None,
    settings: Mapping[str, str] | None = None,
    metrics: Mapping[str, Metric] = METRICS,
    progress: Callable[[int, int], None] = lambda _count, _total: None,
) -> MeasuringSummary:
    """Measure all repositories of a store on Spark and write the measurements that `cache` reads.

    Args:
        address: folder of the store that all executors can read, or an address with a protocol.
        days: as-of dates; None: the store's own date.
        master: URL of the cluster; None: that of spark-submit, or two cores of this machine.
        settings: Spark settings.
        metrics: metrics to compute.
        progress: called with the number of measured ranges and the total.

    Raises:
        InputError: Spark or Java is missing or does not start.
        SnapshotMissing, FactsError: the store is missing or damaged.
    """
    facts = open_address(address)
    if address.startswith("file://") or not is_address(address):
        facts = Store(Path(address.removeprefix("file://")).resolve(), facts.manifest)
        copy: AbstractContextManager[Store] = nullcontext(facts)
        remote_address = None
    else:
        master = master or default_master()
        remote_address = None if master and master.startswith("local") else address
        copy = local_copy(facts, address, has_facts=remote_address is None)
    with copy as store:
        job = prepare_job(store, days or [store.as_of], Limits(), metrics)
        ranges, tasks = [], []
        for names in job.split_into_ranges(ROWS_PER_TASK):
            file = job.file_of(names)
            if is_sealed(file, file.name):
                ranges.append(Range(names, file, hash_facts(store, names), [], is_reused=True))
            else:
                tasks.append(names)
        if tasks:
            with open_session(master, settings or {}) as spark:
                results = _run_tasks(spark, partial(_measure_range, job, remote_address), tasks, progress)
            for one, sha256 in results:
                write_seal(one.file, one.file.name, sha256)
                ranges.append(one)
        return finish_job(job, sorted(ranges, key=lambda one: one.names), "spark")


def _run_tasks(
    spark: SparkSession,
    measure: Callable[[list[str]], tuple[Range, str]],
    tasks: Sequence[list[str]],
    progress: Callable[[int, int], None],
) -> list[tuple[Range, str]]:
    """Run one Spark job with a task for each range."""
    context = spark.sparkContext
    tracker = context.statusTracker()

    def collect() -> list[tuple[Range, str]]:
        context.setJobGroup("advisor", "advisor measure", interruptOnCancel=True)
        return list(context.parallelize(tasks, len(tasks)).map(measure).collect())

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(collect)
        try:
            while not wait([future], _POLL_SECONDS).done:
                progress(_count_completed_tasks(tracker), len(tasks))
            results = future.result()
        finally:
            context.cancelJobGroup("advisor")
    progress(len(tasks), len(tasks))
    return results


def _count_completed_tasks(tracker: Any) -> int:
    stages = [
        tracker.getStageInfo(stage)
        for number in tracker.getJobIdsForGroup("advisor")
        if (info := tracker.getJobInfo(number))
        for stage in info.stageIds
    ]
    return sum(stage.numCompletedTasks for stage in stages if stage)


def _measure_range(job: Job, address: str | None, names: list[str]) -> tuple[Range, str]:
    """Measure a range on an executor, from a folder or from an address; return also its file's SHA-256."""
    with tempfile.TemporaryDirectory(prefix="advisor-") as scratch:
        if address is None:
            one = measure_names(job, names, scratch)
            return one, _hash_file(one.file)
        earlier_files = {job.previous_run.files[n] for n in names if n in job.previous_run.files}
        with range_copy(job.store, address, names, earlier_files) as store:
            previous_run = replace(job.previous_run, folder=store.path / FOLDER)
            one = measure_names(replace(job, store=store, previous_run=previous_run), names, scratch)
            put_file(one.file, address)
            return replace(one, file=job.store.path / FOLDER / one.file.name), _hash_file(one.file)


def _hash_file(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
