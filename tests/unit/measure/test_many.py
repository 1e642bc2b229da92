"""Many repositories: partitions, ranges, and the same measurements as one by one."""

from __future__ import annotations

import json
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from small_world import AS_OF, NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.errors import FactsError, InputError
from advisor.facts import compaction, reading, writing
from advisor.facts.store import part_of
from advisor.measure.cache import fresh, read_measured
from advisor.measure.one_day import measure
from advisor.measure.whole_store import Limits, measure_store

DAYS = (AS_OF - timedelta(days=200), AS_OF)
SMALL = Limits(rows_a_range=700)


@pytest.fixture
def store(tmp_path):
    return fill(tmp_path / "store", rows())


def one_by_one(store, day=AS_OF):
    return measure(store, NAMES, day)[0]


def content(path):
    return {f.relative_to(path): f.read_bytes() for f in path.rglob("*") if f.is_file() and f.name != ".lock"}


def test_compaction_keeps_rows_heads_and_measurements(store):
    writing.write(store.path, "counts", NAMES[0], [], part="empty", head="abc")
    row = {"repository": NAMES[0], "day": "2024-05-01", "metric": "watchers", "value": 3, "source": "x",
           "retrieved_at": "2024-06-01"}  # fmt: skip
    writing.write(store.path, "counts", NAMES[0], [row], part="index", head="def")
    before = reading.open_store(store.path)
    told = {f: {k: v for k, v in e.items() if k != "sha256"} for f, e in before.manifest["files"].items()}
    expected = one_by_one(before)
    done = compaction.compact(store.path, 1000)
    after = reading.open_store(store.path)
    assert done.files_after < done.files_before
    assert done.rows == compaction.rows_in(before.manifest)
    kept = {
        f: {k: v for k, v in e.items() if k not in {"sha256", "in"}}
        for f, e in after.manifest["files"].items()
    }
    assert kept == told
    assert (after.as_of, after.first_day) == (before.as_of, before.first_day)
    assert one_by_one(after) == expected
    assert one_by_one(before) == expected, "who opened it before still finds its files"
    for file in before.manifest["files"]:
        table, (name, part) = file.partition("/")[0], part_of(file)
        assert sorted(map(str, reading.read(after, table, name, part))) == sorted(
            map(str, reading.read(before, table, name, part))
        )
    assert compaction.compact(store.path, 1000).removed == len(before.manifest["files"]) - 1
    assert measure(after, NAMES[1:2], AS_OF)[0] == {NAMES[1]: expected[NAMES[1]]}


def test_a_written_part_replaces_its_rows_in_a_partition_and_nobody_elses(store):
    changed = {k: v for k, v in rows().items() if k != ("releases", NAMES[0])}
    compaction.compact(store.path, 10**6)
    writing.write(store.path, "releases", NAMES[0], [])
    found = reading.open_store(store.path)
    assert one_by_one(found) == one_by_one(fill(store.path.parent / "other", changed))
    compaction.compact(store.path, 10**6)
    assert one_by_one(reading.open_store(store.path)) == one_by_one(found)


def test_a_crash_at_any_step_of_a_compaction_loses_nothing(store, monkeypatch):
    expected = one_by_one(store)
    steps = 0
    real = Path.replace

    def dies(self, target):
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    for after in range(100):
        steps = after
        try:
            compaction.compact(store.path, 1000)
        except KeyboardInterrupt:
            opened = reading.open_store(store.path)
            assert not reading.verify(opened, NAMES)
            assert one_by_one(opened) == expected
        else:
            break
    assert after > 5
    assert one_by_one(reading.open_store(store.path)) == expected


def test_a_damaged_file_is_not_compacted(store):
    file = store.path / next(iter(store.manifest["files"]))
    file.write_bytes(file.read_bytes()[:-1])
    before = content(store.path)
    with pytest.raises(FactsError, match=file.name):
        compaction.compact(store.path)
    assert content(store.path) == before


def test_a_damaged_partition_names_everybody_in_it(store):
    compaction.compact(store.path, 10**6)
    opened = reading.open_store(store.path)
    name = next(iter(opened.partitions))
    (opened.path / name).write_bytes(b"")
    assert {d.repository for d in reading.verify(opened, NAMES)} == set(NAMES)


@pytest.mark.parametrize("compacted", [False, True])
def test_a_whole_store_is_measured_as_one_by_one(store, compacted):
    if compacted:
        compaction.compact(store.path, 1000)
        store = reading.open_store(store.path)
    done = measure_store(store, DAYS, SMALL)
    assert (done.repositories, done.reused, done.damages) == (len(NAMES), 0, [])
    assert done.ranges > 1
    for day in DAYS:
        assert read_measured(store, NAMES, day) == one_by_one(store, day)
    assert read_measured(store, NAMES[1:], AS_OF) == {n: one_by_one(store)[n] for n in NAMES[1:]}
    assert read_measured(store, NAMES, AS_OF - timedelta(days=1)) is None


def test_what_two_sources_tell_is_one_row_as_one_by_one(store):
    """Also where only the row that goes knows who merged."""
    twice = rows()["threads", NAMES[0]]
    told = [{k: v for k, v in row.items() if not k.startswith("merged_by")} for row in twice[::2]]
    writing.write(store.path, "threads", NAMES[0], [{**row, "source": "a"} for row in told], part="api")
    again = [
        {**row, "source": "git:x", "merged_by": 1, "merged_by_organisation": "org1"} for row in twice[::3]
    ]
    writing.write(store.path, "threads", NAMES[0], again, part="git")
    tags = [{**row, "source": "git:x", "is_prerelease": True} for row in rows()["releases", NAMES[0]]]
    writing.write(store.path, "releases", NAMES[0], tags, part="git")
    opened = reading.open_store(store.path)
    measure_store(opened, DAYS, SMALL)
    for day in DAYS:
        assert read_measured(opened, NAMES, day) == one_by_one(opened, day)
    influence = "organizational_influence_merges"
    assert one_by_one(opened)[NAMES[0]][influence] != one_by_one(store)[NAMES[0]][influence]


def test_only_what_changed_is_measured_again(store):
    first = measure_store(store, DAYS, SMALL)
    assert measure_store(store, DAYS, SMALL).reused == first.ranges
    writing.write(store.path, "releases", NAMES[0], [])
    changed = reading.open_store(store.path)
    assert read_measured(changed, NAMES, AS_OF) is None, "they were made from other facts"
    again = measure_store(changed, DAYS, SMALL)
    assert 0 < again.reused < again.ranges
    assert read_measured(changed, NAMES, AS_OF) == one_by_one(changed)
    left = {f.name for f in (store.path / "measurements").glob("*.parquet")}
    assert left == set(json.loads((store.path / "measurements" / "index.json").read_text())["files"])


def test_an_interrupted_run_goes_on_where_it_stopped(store):
    def stop(_done, _every):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_store(store, DAYS, Limits(threads=1, rows_a_range=700), progress=stop)
    assert measure_store(store, DAYS, SMALL).reused >= 1
    assert read_measured(store, NAMES, AS_OF) == one_by_one(store)


def test_the_order_of_files_and_ranges_does_not_matter(store):
    measure_store(store, DAYS, Limits(threads=2, rows_a_range=1))
    by_range = read_measured(store, NAMES, AS_OF)
    measure_store(store, DAYS, Limits(threads=1, rows_a_range=10**9))
    assert read_measured(store, NAMES, AS_OF) == by_range


def test_a_damaged_file_leaves_out_its_repository_alone(store):
    file = store.path / next(f for f in store.files[NAMES[0]])
    file.write_bytes(b"")
    done = measure_store(store, DAYS, SMALL)
    assert {d.repository for d in done.damages} == {NAMES[0]}
    assert read_measured(store, NAMES[1:], AS_OF) == {n: one_by_one(store)[n] for n in NAMES[1:]}


def test_rank_takes_what_was_measured(store, monkeypatch):
    expected = fresh(store, list(NAMES), AS_OF)
    measure_store(store, DAYS, SMALL)
    monkeypatch.setattr("advisor.measure.one_day.measure", None)
    assert fresh(store, list(NAMES), AS_OF) == expected


def test_memory_is_an_amount():
    with pytest.raises(InputError, match="'much'"):
        Limits("much").settings("")


def test_the_commands(store):
    load(None)
    run = CliRunner().invoke
    compacted = run(app, ["compact", str(store.path)])
    assert compacted.exit_code == 0, compacted.output
    measured = run(app, ["measure", str(store.path), "--months", "2"])
    assert measured.exit_code == 0, measured.output
    assert f"{len(NAMES)} repositories" in measured.output
    opened = reading.open_store(store.path)
    assert read_measured(opened, NAMES, opened.as_of) == one_by_one(opened, opened.as_of)
    (opened.path / next(iter(opened.partitions))).write_bytes(b"")
    assert run(app, ["measure", str(store.path)]).exit_code == 3


def test_made_up_histories_reach_every_metric(tmp_path):
    sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
    try:
        from generate import generate
    finally:
        sys.path.pop(0)
    assert generate(tmp_path / "a", 60) == generate(tmp_path / "b", 60, small_files=True) > 60 * 500
    a, b = (reading.open_store(tmp_path / name) for name in "ab")
    names = random.Random(1).sample(a.repositories(), 5)
    assert measure(a, names, a.as_of)[0] == measure(b, names, b.as_of)[0]
    measure_store(a, [a.as_of])
    found = read_measured(a, a.repositories(), a.as_of)
    assert set(found) == set(a.repositories())
    lacking = {m for ms in found.values() for m in ms} - {
        m for ms in found.values() for m, measured in ms.items() if measured.status == "measured"
    }
    # Few of so few have a known backer; mergers and benches are not made up.
    assert lacking <= {
        "organizational_influence",
        "organizational_influence_merges",
        "measured_throughput",
        "measured_peak_memory",
    }


def test_collecting_into_a_large_store_measures_it_whole(store, monkeypatch):
    from advisor.cli import collected

    monkeypatch.setattr(collected, "MEASURED_WHOLE", 2)
    collected.keep_measurements(store.path)
    assert not (store.path / "measurements.json").exists()
    assert read_measured(store, NAMES, AS_OF) == one_by_one(store)
