"""Measure every repository of a store on Spark.

A store is a folder or an address (see `address`); the measurements are written beside the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from advisor.facts import reading
from advisor.facts.compaction import rows_by_repository
from advisor.facts.store import Store, part_of, split
from advisor.facts.tables import TABLES, columns
from advisor.facts.views import as_of_view, one_row_each
from advisor.measure.cache import FOLDER, definitions_key, digest, facts_key
from advisor.measure.one_day import KNOWN_BESIDE, known_beside
from advisor.measure.spark.address import in_reach, open_address, publish
from advisor.measure.spark.dialect import to_spark
from advisor.measure.spark.session import session
from advisor.measure.sql import measurement_sql, read_on_sql
from advisor.measure.whole_store import Done, index_of
from advisor.metrics import METRICS
from advisor.metrics.shared.views import derived_views

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from advisor.model import Metric

# Spark's names of our types of columns.
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
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Done:
    """Measure all repositories of a store on Spark, and write what `measurements` reads.

    Args:
        address: folder of the store, or an address with a protocol (a cluster compares no hashes there).
        days: as of when; None: the store's own day.
        master: URL of the cluster.
        settings: of Spark.
        metrics: what to measure.
        progress: called with the number of queries done and of all.

    Raises:
        InputError: Spark or Java is missing, or does not start.
        SnapshotMissing, FactsError: the store is missing or damaged.
    """
    with in_reach(open_address(address), address, master) as (store, place):
        days = [store.as_of] if days is None else days
        names = store.repositories()
        damages = reading.verify(store, names) if place.startswith("file:") else []
        sound = sorted(set(names) - {d.repository for d in damages})
        rows = rows_by_repository(store)
        made_from = [definitions_key(metrics), [day.isoformat() for day in days], facts_key(store, names)]
        name = f"spark-{digest(made_from)[:32]}"
        with session(master, settings or {}) as spark:
            load(spark, store, place, sound)
            measured = [frame for day in days for frame in frames(spark, sound, day, metrics)]
            for number, frame in enumerate(measured):
                mode = "append" if number else "overwrite"
                frame.coalesce(1).write.mode(mode).parquet(f"{place}/{FOLDER}/{name}")
                progress(number + 1, len(measured))
        publish(place, address, name, lambda files: index_of(store, days, files, "spark", damages))
    return Done(len(sound), sum(rows[n] for n in sound), 1, 0, damages)


def load(spark: SparkSession, store: Store, address: str, repositories: Sequence[str]) -> None:
    """Views ``all_…`` of the tables' rows, in memory as far as it goes, and what is known beside them."""
    for table in TABLES:
        frame = _rows(spark, store, address, table, repositories)
        frame.createOrReplaceTempView(f"raw_{table}")
        kept = spark.sql(to_spark(one_row_each(table, f"SELECT * FROM raw_{table}")))
        kept.cache().createOrReplaceTempView(f"all_{table}")
    for table, rows in known_beside().items():
        kinds = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in KNOWN_BESIDE[table].items())
        spark.createDataFrame(rows, kinds).createOrReplaceTempView(table)
    spark.sql(to_spark(read_on_sql())).cache().createOrReplaceTempView("read_on")


def _rows(
    spark: SparkSession, store: Store, address: str, table: str, repositories: Sequence[str]
) -> DataFrame:
    from pyspark.sql import functions as f

    kinds = columns(table)
    schema = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in kinds.items())
    loose, partitions = split(store, table, repositories)
    frame = spark.createDataFrame([], schema)
    if loose:
        # A file of an older version lacks columns; one of duckdb's with integers for others is cast.
        frame = frame.unionByName(_read(spark, address, loose, schema))
    if partitions:
        found = _read(spark, address, sorted(partitions), f"{schema}, part STRING")
        gone = [part_of(file) for p in partitions for file in store.partitions[p].get("replaced", ())]
        if gone:
            old = spark.createDataFrame(gone, "repository STRING, part STRING")
            found = found.join(f.broadcast(old), ["repository", "part"], "left_anti")
        if any(store.held[p] != count for p, count in partitions.items()):
            some = spark.createDataFrame([(r,) for r in repositories], "repository STRING")
            found = found.join(f.broadcast(some), "repository", "left_semi")
        frame = frame.unionByName(found.select(*kinds))
    return frame


def _read(spark: SparkSession, address: str, files: Sequence[str], schema: str) -> DataFrame:
    return spark.read.schema(schema).parquet(*(f"{address.rstrip('/')}/{file}" for file in files))


def frames(
    spark: SparkSession, repositories: Sequence[str], day: date, metrics: Mapping[str, Metric]
) -> list[DataFrame]:
    """Measurements of some repositories as of a day, one frame a metric, after `load`."""
    literal = f"DATE '{day.isoformat()}'"
    for table in TABLES:
        view = as_of_view(table, f"all_{table}", literal)
        spark.sql(to_spark(view)).createOrReplaceTempView(table)
    for name, text in derived_views(day):
        spark.sql(to_spark(text)).createOrReplaceTempView(name)
    asked = [(r, r, day) for r in repositories]
    spark.createDataFrame(asked, "key STRING, repository STRING, as_of DATE").createOrReplaceTempView("asked")
    return [spark.sql(to_spark(measurement_sql(metric, day))) for metric in metrics.values()]
