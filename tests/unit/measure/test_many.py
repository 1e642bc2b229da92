"""Partitions and ranges: a whole store has the same measurements as single repositories."""

from __future__ import annotations

import gzip
import json
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from measuring import measure_repositories
from small_world import AS_OF, NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.errors import FactsError, InputError
from advisor.facts import compaction, reading, writing
from advisor.facts.database import open_database
from advisor.facts.facts_view import FactsView
from advisor.facts.store import all_rows_sql, parse_file_path
from advisor.facts.tables import TABLES
from advisor.measure.cache import (
    compute_outlooks_of,
    measure_fresh,
    read_cached_measurements,
    read_store_measurements,
)
from advisor.measure.whole_store import MANY_DAYS_PER_THREAD, Limits, measure_store
from advisor.metrics import METRICS

DAYS = (AS_OF - timedelta(days=200), AS_OF)
SMALL = Limits(rows_per_range=700)


@pytest.fixture
def store(tmp_path):
    return fill(tmp_path / "store", rows())


def measure_directly(store, day=AS_OF):
    return measure_repositories(store, NAMES, day)[0]


def read_all_rows(store):
    """Return table → its rows of all repositories, in a fixed order."""
    with open_database([store.path]) as db:
        queries = {table: f"{all_rows_sql(store, table, NAMES)} ORDER BY ALL" for table in TABLES}
        return {table: db.execute(query).fetchall() for table, query in queries.items()}


def content(path):
    return {f.relative_to(path): f.read_bytes() for f in path.rglob("*") if f.is_file() and f.name != ".lock"}


def test_compaction_keeps_rows_heads_and_measurements(store):
    writing.write_rows(store.path, "counts", NAMES[0], [], part="empty", head="abc")
    row = {"repository": NAMES[0], "day": "2024-05-01", "metric": "watchers", "value": 3, "source": "x",
           "retrieved_at": "2024-06-01"}  # fmt: skip
    writing.write_rows(store.path, "counts", NAMES[0], [row], part="index", head="def")
    before = reading.open_store(store.path)
    old_entries = {
        f: {k: v for k, v in e.items() if k != "sha256"} for f, e in before.manifest["files"].items()
    }
    expected = measure_directly(before)
    summary = compaction.compact_store(store.path, 1000)
    after = reading.open_store(store.path)
    assert summary.files_after < summary.files_before
    assert summary.rows == compaction.count_rows(before.manifest)
    new_entries = {
        f: {k: v for k, v in e.items() if k not in {"sha256", "in"}}
        for f, e in after.manifest["files"].items()
    }
    assert new_entries == old_entries
    assert (after.as_of, after.first_day) == (before.as_of, before.first_day)
    assert measure_directly(after) == expected
    assert measure_directly(before) == expected, (
        "a reader who new_store the store earlier still finds its files"
    )
    for file in before.manifest["files"]:
        table, (name, part) = file.partition("/")[0], parse_file_path(file)
        assert sorted(map(str, reading.read_rows(after, table, name, part))) == sorted(
            map(str, reading.read_rows(before, table, name, part))
        )
    assert compaction.compact_store(store.path, 1000).removed_files == len(before.manifest["files"]) - 1
    assert measure_repositories(after, NAMES[1:2], AS_OF)[0] == {NAMES[1]: expected[NAMES[1]]}


def test_a_new_part_replaces_only_its_own_rows_in_a_partition(store):
    expected_rows = {k: v for k, v in rows().items() if k != ("releases", NAMES[0])}
    compaction.compact_store(store.path, 10**6)
    writing.write_rows(store.path, "releases", NAMES[0], [])
    new_store = reading.open_store(store.path)
    assert measure_directly(new_store) == measure_directly(fill(store.path.parent / "other", expected_rows))
    compaction.compact_store(store.path, 10**6)
    assert measure_directly(reading.open_store(store.path)) == measure_directly(new_store)


def test_a_crash_at_any_step_of_a_compaction_loses_nothing(store, monkeypatch):
    expected = read_all_rows(store)
    assert sum(map(len, expected.values())) > 500
    steps = 0
    real = Path.replace

    def fail(self, target):
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    for after in range(100):
        steps = after
        try:
            compaction.compact_store(store.path, 1000)
        except KeyboardInterrupt:
            new_store = reading.open_store(store.path)
            assert not reading.verify_files(new_store, NAMES)
            assert read_all_rows(new_store) == expected
        else:
            break
    assert after > 5
    assert read_all_rows(reading.open_store(store.path)) == expected


def test_a_damaged_file_is_not_compacted(store):
    file = store.path / next(iter(store.manifest["files"]))
    file.write_bytes(file.read_bytes()[:-1])
    before = content(store.path)
    with pytest.raises(FactsError, match=file.name):
        compaction.compact_store(store.path)
    assert content(store.path) == before


def test_a_damaged_partition_is_damage_of_all_its_repositories(store):
    compaction.compact_store(store.path, 10**6)
    new_store = reading.open_store(store.path)
    name = next(iter(new_store.partitions))
    (new_store.path / name).write_bytes(b"")
    assert {d.repository for d in reading.verify_files(new_store, NAMES)} == set(NAMES)


@pytest.mark.parametrize("is_compact", [False, True])
def test_a_whole_store_has_the_measurements_of_single_repositories(store, is_compact):
    if is_compact:
        compaction.compact_store(store.path, 1000)
        store = reading.open_store(store.path)
    summary = measure_store(store, DAYS, SMALL)
    assert (summary.repositories, summary.reused_ranges, summary.damages) == (len(NAMES), 0, [])
    assert summary.ranges > 1
    for day in DAYS:
        assert read_store_measurements(store, NAMES, day) == measure_directly(store, day)
    assert read_store_measurements(store, NAMES[1:], AS_OF) == {
        n: measure_directly(store)[n] for n in NAMES[1:]
    }
    assert read_store_measurements(store, NAMES, AS_OF - timedelta(days=1)) is None


def test_rows_of_two_sources_are_merged(store):
    """The remaining row takes the person who merged from the other row."""
    twice = rows()["threads", NAMES[0]]
    api_rows = [{k: v for k, v in row.items() if not k.startswith("merged_by")} for row in twice[::2]]
    writing.write_rows(
        store.path, "threads", NAMES[0], [{**row, "source": "a"} for row in api_rows], part="api"
    )
    git_rows = [
        {**row, "source": "git:x", "merged_by": 1, "merged_by_organisation": "org1"} for row in twice[::3]
    ]
    writing.write_rows(store.path, "threads", NAMES[0], git_rows, part="git")
    tags = [{**row, "source": "git:x", "is_prerelease": True} for row in rows()["releases", NAMES[0]]]
    writing.write_rows(store.path, "releases", NAMES[0], tags, part="git")
    new_store = reading.open_store(store.path)
    measure_store(new_store, DAYS, SMALL)
    for day in DAYS:
        assert read_store_measurements(new_store, NAMES, day) == measure_directly(new_store, day)
    influence = "organizational_influence_merges"
    assert measure_directly(new_store)[NAMES[0]][influence] != measure_directly(store)[NAMES[0]][influence]


def test_only_changed_ranges_are_measured_again(store):
    first = measure_store(store, DAYS, SMALL)
    assert measure_store(store, DAYS, SMALL).reused_ranges == first.ranges
    writing.write_rows(store.path, "releases", NAMES[0], [])
    new_store = reading.open_store(store.path)
    assert read_store_measurements(new_store, NAMES, AS_OF) is None, "the measurements are from other facts"
    again = measure_store(new_store, DAYS, SMALL)
    assert 0 < again.reused_ranges < again.ranges
    assert read_store_measurements(new_store, NAMES, AS_OF) == measure_directly(new_store)
    files = {f.name for f in (store.path / "measurements").glob("*.parquet")}
    assert files == set(json.loads((store.path / "measurements" / "index.json").read_text())["files"])


def test_an_interrupted_run_resumes(store):
    def stop(_count, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_store(store, DAYS, Limits(threads=1, rows_per_range=700), progress=stop)
    assert measure_store(store, DAYS, SMALL).reused_ranges >= 1
    assert read_store_measurements(store, NAMES, AS_OF) == measure_directly(store)


def test_the_order_of_files_and_ranges_does_not_matter(store):
    measure_store(store, DAYS, Limits(threads=2, rows_per_range=1))
    by_range = read_store_measurements(store, NAMES, AS_OF)
    measure_store(store, DAYS, Limits(threads=1, rows_per_range=10**9))
    assert read_store_measurements(store, NAMES, AS_OF) == by_range


def test_threads_that_share_a_range_write_the_same_bytes_as_one(store):
    days = [AS_OF - timedelta(days=30 * n) for n in range(3 * MANY_DAYS_PER_THREAD)]
    contents = []
    for threads in (1, 2, 3):
        summary = measure_store(store, days, Limits(threads=threads))
        assert (summary.ranges, summary.reused_ranges) == (1, 0)
        (file,) = (store.path / "measurements").glob("*.parquet")
        contents.append(file.read_bytes())
        if threads < 3:
            file.unlink()
    assert contents[0] == contents[1] == contents[2]
    for day in days[:3]:  # one of each thread
        assert read_store_measurements(store, NAMES, day) == measure_directly(store, day)


def test_a_damaged_file_excludes_only_its_repository(store):
    file = store.path / next(iter(store.files[NAMES[0]]))
    file.write_bytes(b"")
    summary = measure_store(store, DAYS, SMALL)
    assert {d.repository for d in summary.damages} == {NAMES[0]}
    assert read_store_measurements(store, NAMES[1:], AS_OF) == {
        n: measure_directly(store)[n] for n in NAMES[1:]
    }


def test_rank_reads_stored_measurements(store, monkeypatch):
    expected = measure_fresh(FactsView(store, tuple(NAMES), AS_OF))
    measure_store(store, DAYS, SMALL)
    monkeypatch.setattr("advisor.measure.one_day.measure_view", None)
    assert measure_fresh(FactsView(store, tuple(NAMES), AS_OF)) == expected


def test_an_invalid_memory_limit_is_an_error():
    with pytest.raises(InputError, match="'much'"):
        Limits("much").settings("")


def test_the_commands(store):
    load(None)
    run = CliRunner().invoke
    result = run(app, ["compact", str(store.path)])
    assert result.exit_code == 0, result.output
    result = run(app, ["measure", str(store.path), "--months", "2"])
    assert result.exit_code == 0, result.output
    assert f"{len(NAMES)} repositories" in result.output
    new_store = reading.open_store(store.path)
    assert read_store_measurements(new_store, NAMES, new_store.as_of) == measure_directly(
        new_store, new_store.as_of
    )
    (new_store.path / next(iter(new_store.partitions))).write_bytes(b"")
    assert run(app, ["measure", str(store.path)]).exit_code == 3


def test_generated_histories_have_a_value_of_almost_every_metric(tmp_path):
    sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
    try:
        from generate import QUERIES, generate
    finally:
        sys.path.pop(0)
    assert generate(tmp_path / "a", 60) == generate(tmp_path / "b", 60, small_files=True) > 60 * 500
    a, b = (reading.open_store(tmp_path / name) for name in "ab")
    names = random.Random(1).sample(a.repositories(), 5)
    assert measure_repositories(a, names, a.as_of)[0] == measure_repositories(b, names, b.as_of)[0]
    measure_store(a, [a.as_of])
    measurements = read_store_measurements(a, a.repositories(), a.as_of)
    assert set(measurements) == set(a.repositories())
    missing = {m for ms in measurements.values() for m in ms} - {
        m for ms in measurements.values() for m, each in ms.items() if each.status == "measured"
    }
    # Some tables have no rows, and others only some kinds of rows: no merges by people, agents, files and so on.
    without_rows = {name for name, metric in METRICS.items() if not set(metric.needs) <= set(QUERIES)}
    assert missing - without_rows <= {
        "agent_share", "ci_files", "dependents", "docs_freshness", "docs_per_symbol", "docstring_share",
        "funding_files", "governance_files", "import_time", "licence_changes", "maintainers", "open_advisories",
        "organizational_influence_merges", "security_policy", "starter_pages", "test_files", "workflow_safety",
        "working_examples",
    }  # fmt: skip


@pytest.mark.parametrize("has_outlooks", [True, False])
def test_collecting_into_a_large_store_measures_the_whole_store(store, monkeypatch, has_outlooks):
    from advisor.cli import measure_facts

    monkeypatch.setattr(measure_facts, "MOST_IN_MEMORY", 2)
    monkeypatch.setattr(measure_facts, "MOST_IN_ONE_FILE", len(NAMES) if has_outlooks else 2)
    measure_facts.measure_facts(store.path)
    assert read_store_measurements(store, NAMES, AS_OF) == measure_directly(store)
    assert (store.path / "measurements.json.gz").exists() is has_outlooks
    if has_outlooks:  # a page of many candidates reads them from one file, and no facts
        view = FactsView(store, tuple(NAMES), AS_OF)
        kept = read_cached_measurements(view)
        assert kept.measurements == measure_directly(store)
        assert kept.outlooks == compute_outlooks_of(view)
        content = json.loads(gzip.decompress((store.path / "measurements.json.gz").read_bytes()))
        first = content["measurements"][NAMES[0]][0]
        assert None not in first.values(), "a field with its default is left out"
        assert "" not in first.values(), "a field with its default is left out"
