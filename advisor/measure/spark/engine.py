"""Measure every repository of a store on Spark.

The store is a folder or an address (see `address`). The measurements are written beside the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from advisor.facts import reading
from advisor.facts.compaction import count_rows_by_repository
from advisor.facts.store import Store, parse_file_path, split_files
from advisor.facts.tables import TABLES, columns
from advisor.facts.views import as_of_view, merge_sources_sql
from advisor.measure.address import open_address, publish_measurements, reachable_store
from advisor.measure.cache import FOLDER, definitions_key, digest, facts_key
from advisor.measure.one_day import LOOKUP_TABLES, read_lookup_rows
from advisor.measure.spark.dialect import to_spark
from advisor.measure.spark.session import open_session
from advisor.measure.sql import measurement_sql, read_on_sql
from advisor.measure.whole_store import MeasuringSummary, render_index
from advisor.metrics import METRICS
from advisor.metrics.shared.views import derived_views

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from advisor.model import Metric

# DuckDB's column types → Spark's.
_TYPES = {
    "VARCHAR": "STRING",
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
}


def measure_on_spark(
    address: str,
    days: Sequence[date] | None = None,
    master: str = "local[2]",
    settings: Mapping[str, str] | None = None,
    metrics: Mapping[str, Metric] = METRICS,
    progress: Callable[[int, int], None] = lambda _count, _total: None,
) -> MeasuringSummary:
    """Measure all repositories of a store on Spark and write the measurements that `cache` reads.

    Args:
        address: folder of the store, or an address with a protocol (hashes are not verified on a cluster).
        days: as-of dates; None: the store's own date.
        master: URL of the cluster.
        settings: Spark settings.
        metrics: metrics to compute.
        progress: called with the number of finished queries and the total.

    Raises:
        InputError: Spark or Java is missing or does not start.
        SnapshotMissing, FactsError: the store is missing or damaged.
    """
    with reachable_store(open_address(address), address, master) as (store, place):
        days = [store.as_of] if days is None else days
        names = store.repositories()
        damages = reading.verify_files(store, names) if place.startswith("file:") else []
        sound = sorted(set(names) - {d.repository for d in damages})
        rows = count_rows_by_repository(store)
        inputs = [definitions_key(metrics), [day.isoformat() for day in days], facts_key(store, names)]
        name = f"spark-{digest(inputs)[:32]}"
        with open_session(master, settings or {}) as spark:
            load_views(spark, store, place, sound)
            frames = [frame for day in days for frame in measurement_frames(spark, sound, day, metrics)]
            for number, frame in enumerate(frames):
                mode = "append" if number else "overwrite"
                frame.coalesce(1).write.mode(mode).parquet(f"{place}/{FOLDER}/{name}")
                progress(number + 1, len(frames))
        publish_measurements(
            place, address, name, lambda files: render_index(store, days, files, "spark", damages)
        )
    return MeasuringSummary(len(sound), sum(rows[n] for n in sound), 1, 0, damages)


def load_views(spark: SparkSession, store: Store, address: str, repositories: Sequence[str]) -> None:
    """Create the views ``all_…`` of the tables' rows, cached in memory, and the lookup tables."""
    for table in TABLES:
        frame = _rows(spark, store, address, table, repositories)
        frame.createOrReplaceTempView(f"raw_{table}")
        rows_of_table = spark.sql(to_spark(merge_sources_sql(table, f"SELECT * FROM raw_{table}")))
        rows_of_table.cache().createOrReplaceTempView(f"all_{table}")
    for table, rows in read_lookup_rows().items():
        kinds = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in LOOKUP_TABLES[table].items())
        spark.createDataFrame(rows, kinds).createOrReplaceTempView(table)
    spark.sql(to_spark(read_on_sql())).cache().createOrReplaceTempView("read_on")


def _rows(
    spark: SparkSession, store: Store, address: str, table: str, repositories: Sequence[str]
) -> DataFrame:
    from pyspark.sql import functions as f

    kinds = columns(table)
    schema = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in kinds.items())
    loose, partitions = split_files(store, table, repositories)
    frame = spark.createDataFrame([], schema)
    if loose:
        # The schema adds the columns that an older file does not have, and casts integers of other types.
        frame = frame.unionByName(_read(spark, address, loose, schema))
    if partitions:
        rows = _read(spark, address, sorted(partitions), f"{schema}, part STRING")
        old = [parse_file_path(file) for p in partitions for file in store.partitions[p].get("replaced", ())]
        if old:
            old_parts = spark.createDataFrame(old, "repository STRING, part STRING")
            rows = rows.join(f.broadcast(old_parts), ["repository", "part"], "left_anti")
        if any(store.file_counts[p] != count for p, count in partitions.items()):
            names = spark.createDataFrame([(r,) for r in repositories], "repository STRING")
            rows = rows.join(f.broadcast(names), "repository", "left_semi")
        frame = frame.unionByName(rows.select(*kinds))
    return frame


def _read(spark: SparkSession, address: str, files: Sequence[str], schema: str) -> DataFrame:
    return spark.read.schema(schema).parquet(*(f"{address.rstrip('/')}/{file}" for file in files))


def measurement_frames(
    spark: SparkSession, repositories: Sequence[str], day: date, metrics: Mapping[str, Metric]
) -> list[DataFrame]:
    """Return the measurements of repositories as of a day, one frame per metric; call `load_views` first."""
    literal = f"DATE '{day.isoformat()}'"
    for table in TABLES:
        view = as_of_view(table, f"all_{table}", literal)
        spark.sql(to_spark(view)).createOrReplaceTempView(table)
    for name, text in derived_views(day):
        spark.sql(to_spark(text)).createOrReplaceTempView(name)
    requests = [(r, r, day) for r in repositories]
    frame = spark.createDataFrame(requests, "key STRING, repository STRING, as_of DATE")
    frame.createOrReplaceTempView("requested_repositories")
    return [spark.sql(to_spark(measurement_sql(metric, day))) for metric in metrics.values()]
