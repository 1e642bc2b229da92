"""Many repositories: merged shards give the bytes of one unsharded run, in any order and after any kill."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from bare_environment import bare_environment
from typer.testing import CliRunner

from advisor.cli import app, collect_many, load
from advisor.cli.repository_list import read_list, select_shard
from advisor.collect.many.merge import copy_repository, merge_stores
from advisor.collect.many.queue import Queue
from advisor.errors import FactsError, SnapshotMissing
from advisor.facts import compaction, writing
from advisor.facts.reading import open_store, read_rows, verify_files
from advisor.facts.store import parse_file_path

COUNT = 8
DAY = "2026-11-24"


def run_git(folder, *arguments, day="2026-01-01", who="Ada Byron"):
    stamp = f"{day}T12:00:00+0000"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": f"{who[:3].lower()}@shipyard.org", "GIT_AUTHOR_DATE": stamp,
           "GIT_COMMITTER_NAME": who, "GIT_COMMITTER_EMAIL": "c@shipyard.org", "GIT_COMMITTER_DATE": stamp}  # fmt: skip
    subprocess.run(["git", "-C", str(folder), *arguments], env=env, check=True, capture_output=True)


def make_commit(folder, n, day, who):
    (folder / f"file{n % 3}.py").write_text(f"x = {n}\n")
    run_git(folder, "add", ".", day=day, who=who)
    run_git(folder, "commit", "-q", "-m", f"change {n} (#{n})", day=day, who=who)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """A list of real git histories."""
    home = tmp_path_factory.mktemp("upstream")
    lot, lines = random.Random(5), ["# the ecosystem"]
    for number in range(COUNT):
        folder = home / f"lib-{number}"
        folder.mkdir()
        run_git(folder, "init", "-q", "-b", "main")
        for n in range(4 + number % 3):
            make_commit(folder, n, f"2026-0{1 + n}-1{number}", lot.choice(["Ada Byron", "Bo Li", "Cy Young"]))
        run_git(folder, "tag", "v1.0", day="2026-05-01")
        lines.append(f"org{number % 4}/lib-{number} {folder.as_uri()}")
    path = home / "list.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def build_command(upstream, store, *more, day=DAY):
    when = ["--retrieved-on", day] if day else []
    return [sys.executable, "-m", "advisor", "collect", "--repos", str(upstream), "--git-only", "--store", str(store),
            *when, *more]  # fmt: skip


def make_environment(home):
    return bare_environment(HOME=str(home), XDG_DATA_HOME=str(home / "data"))


def collect(upstream, store, home, *more, day=DAY):
    result = subprocess.run(build_command(upstream, store, *more, day=day), env=make_environment(home), capture_output=True,
                          text=True, check=False, timeout=300)  # fmt: skip
    return result.returncode, result.stderr


def read_files(store):
    """Return every file of a store except the queue, the locks, and the seals, which differ by machine."""
    return {
        p.relative_to(store).as_posix(): p.read_bytes()
        for p in sorted(store.rglob("*"))
        if p.is_file() and ".queue" not in p.parts and p.name != ".lock" and p.suffix != ".seal"
    }


@pytest.fixture(scope="module")
def whole(upstream, tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    code, stderr = collect(upstream, home / "store", home, "--workers", "2")
    assert code == 0, stderr
    store = open_store(home / "store")
    assert len(store.repositories()) == COUNT and not verify_files(store, store.repositories())
    return home / "store"


def test_queue_writes_the_files_of_separate_runs(upstream, whole, tmp_path):
    for name, where in read_list(upstream).items():
        subprocess.run([sys.executable, "-m", "advisor", "collect", where, "--name", name, "--git-only", "--store",
                        str(tmp_path / "store"), "--retrieved-on", DAY], env=make_environment(tmp_path), check=True,
                       capture_output=True)  # fmt: skip
        if name.endswith("2"):
            break
    serial_files = read_files(tmp_path / "store")
    queue_files = read_files(whole)
    tables = [f for f in serial_files if f.endswith(".parquet")]
    assert len(tables) >= 9 and all(serial_files[f] == queue_files[f] for f in tables)


def test_merged_shards_after_kills_are_the_unsharded_run(upstream, whole, tmp_path):
    shards = []
    for number in (1, 2, 3):
        store = tmp_path / f"shard{number}"
        arguments = build_command(upstream, store, "--shard", f"{number}/3", "--workers", "2")
        kill_then_finish(arguments, store, tmp_path, ("leader", "worker", "leader")[number - 1])
        shards.append(store)
    names = [set(open_store(s).repositories()) for s in shards]
    assert set.union(*names) == set(open_store(whole).repositories())
    assert sum(map(len, names)) == COUNT
    expected_files = read_facts(whole)
    for place, order in enumerate(itertools.permutations(shards)):
        together = tmp_path / f"all{place}"
        for one in order[:2]:
            merge_stores(together, [one])
        merge_stores(together, [order[2], order[0]])  # a repeated merge changes nothing
        assert read_files(together) == expected_files
    check_compaction(shards, whole, tmp_path)


def check_compaction(shards, whole, folder):
    """Compact at any time: the rows stay the same, and compacted stores have the same bytes."""
    expected_files = read_facts(whole)
    shutil.copytree(whole, folder / "whole")
    in_partitions = compact_twice(folder / "whole")
    assert set(in_partitions) != set(expected_files)
    compaction.compact_store(shards[1], 100)
    for place, order in enumerate(itertools.permutations(shards)):
        merge_stores(folder / f"apart{place}", order)  # files come out of partitions unchanged
        assert read_files(folder / f"apart{place}") == expected_files
        together = folder / f"compacted{place}"
        merge_stores(together, order[:1])
        compaction.compact_store(together, 100)
        merge_stores(together, order[1:])
        merge_stores(together, [order[2], order[0], folder / "whole"])
        store = open_store(together)
        assert not verify_files(store, store.repositories())
        assert compact_twice(together) == in_partitions


def read_facts(store):
    """Return the files of a store without its measurements."""
    return {k: v for k, v in read_files(store).items() if k != "measurements.json.gz"}


def compact_twice(store):
    """Return the files after compaction; the second one removes the old files that readers could still need."""
    compaction.compact_store(store, 200)
    compaction.compact_store(store, 200)
    return read_facts(store)


def test_kill_at_any_step_of_a_merge_into_partitions_loses_nothing(whole, tmp_path, monkeypatch):
    """Some readings are newer and replace rows in partitions."""
    newer, store = tmp_path / "newer", tmp_path / "store"
    snapshot = open_store(whole)
    for name in snapshot.repositories()[::4]:
        copy_repository(name, snapshot, newer / name.replace("/", "__"))
        for table in ("contributions", "releases"):
            days = [{**row, "retrieved_at": "2026-12-01"} for row in read_rows(snapshot, table, name)]
            writing.write_rows(newer / name.replace("/", "__"), table, name, days)
    others = sorted(newer.iterdir())
    shutil.copytree(whole, store)
    before = read_rows_by_file(store)
    merge_stores(tmp_path / "expected", [whole, *others])
    after = read_rows_by_file(tmp_path / "expected")
    assert before != after
    compaction.compact_store(store, 200)
    remaining, real_replace = 0, Path.replace

    def replace_or_die(self, target):
        nonlocal remaining
        remaining -= 1
        if remaining < 0:
            raise KeyboardInterrupt
        return real_replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_or_die)
    for step in range(100):
        copy, remaining = tmp_path / f"killed{step}", step
        shutil.copytree(store, copy)
        try:
            merge_stores(copy, others)
        except KeyboardInterrupt:
            snapshot = open_store(copy)
            assert not verify_files(snapshot, snapshot.repositories())
            assert read_rows_by_file(copy) in (before, after)
            remaining = 1000
            merge_stores(copy, others)
        else:
            break
        finally:
            assert read_rows_by_file(copy) == after
    assert step > 2 * len(others)
    monkeypatch.undo()
    assert compact_twice(copy) == compact_twice(tmp_path / "expected")


def read_rows_by_file(store):
    snapshot = open_store(store)
    rows_by_file = {}
    for file in snapshot.manifest["files"]:
        name, part = parse_file_path(file)
        rows_by_file[file] = sorted(map(str, read_rows(snapshot, file.partition("/")[0], name, part)))
    return rows_by_file


def kill_then_finish(arguments, store, home, victim):
    """Kill -9 the leader or a worker during the run; then let the run finish."""
    lot = random.Random(str(store.name))

    def start():
        return subprocess.Popen(
            arguments, env=make_environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    process = start()
    while process.poll() is None and not count_entries(store):
        time.sleep(0.005)
    time.sleep(lot.random() * 0.3)
    if victim == "worker":
        if workers := list_children(process.pid):
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(workers[0], signal.SIGKILL)
        assert process.wait(300) == 0  # another worker replaced it
    else:
        process.kill()
        process.wait()
        assert start().wait(300) == 0
    assert not Queue(store).read_failures()


def count_entries(store):
    with suppress(FileNotFoundError):  # the run clears its queue at its start and at its end
        return sum(len(list((store / ".queue" / kind).iterdir())) for kind in ("done", "parts", "making"))
    return 0


def list_children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_second_round_reads_new_commits_and_a_finished_run_clears_its_plan(upstream, whole, tmp_path):
    store = tmp_path / "store"
    few = tmp_path / "few.txt"
    few.write_text("\n".join(upstream.read_text().splitlines()[:3]) + "\n")
    assert collect(few, store, tmp_path)[0] == 0
    assert not (store / ".queue" / "plan.json").exists()
    clone = tmp_path / "lib-new"
    subprocess.run(["git", "clone", "-q", str(upstream.parent / "lib-0"), str(clone)], check=True)
    make_commit(clone, 99, "2026-06-01", "Di Xu")
    few.write_text(f"org0/lib-0 {clone.as_uri()}\n")
    before = sum(r["commits"] for r in read_rows(open_store(store), "contributions", "org0/lib-0"))
    assert collect(few, store, tmp_path)[0] == 0
    after = sum(r["commits"] for r in read_rows(open_store(store), "contributions", "org0/lib-0"))
    assert after == before + 1
    assert len(open_store(store).repositories()) == 2  # the other repository stays


def test_second_round_into_a_compacted_store_gives_the_same_rows(upstream, whole, tmp_path):
    """Histories resume from the last commit: partitions store it too."""
    clone = tmp_path / "upstream"
    shutil.copytree(upstream.parent, clone)
    path = clone / "list.txt"
    path.write_text(upstream.read_text().replace(upstream.parent.as_uri(), clone.as_uri()))
    results = []
    for kind in ("loose", "compacted"):
        home = tmp_path / kind
        home.mkdir()
        assert collect(path, home / "store", home)[0] == 0
        if kind == "compacted":
            compaction.compact_store(home / "store", 200)
    make_commit(clone / "lib-3", 98, "2026-07-01", "Di Xu")
    for kind in ("loose", "compacted"):
        home = tmp_path / kind
        code, stderr = collect(path, home / "store", home, day="2026-11-25")
        assert code == 0, stderr
        results.append((read_rows_by_file(home / "store"), compact_twice(home / "store")))
    assert results[0] == results[1] and results[0][0] != read_rows_by_file(whole)


def test_next_run_retries_a_failed_repository(upstream, tmp_path):
    lines = upstream.read_text().splitlines()[1:3]
    clone = tmp_path / "not-there"
    path = tmp_path / "list.txt"
    path.write_text("\n".join([*lines, f"no/where {clone.as_uri()}"]) + "\n")
    code, stderr = collect(path, tmp_path / "store", tmp_path, day=None)
    assert code == 3 and "no/where: " in stderr and "2 of 3 repositories collected, 1 failed" in stderr
    subprocess.run(["git", "clone", "-q", str(upstream.parent / "lib-0"), str(clone)], check=True)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "store").rglob("*.parquet")}
    code, stderr = collect(path, tmp_path / "store", tmp_path, day=None)
    assert code == 0, stderr
    assert times.items() <= {p: p.stat().st_mtime_ns for p in (tmp_path / "store").rglob("*.parquet")}.items()
    assert len(open_store(tmp_path / "store").repositories()) == 3


@pytest.fixture
def in_process(upstream, tmp_path, monkeypatch):
    """Collect the list in this process; the test decides what happens to the workers."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    load("collect")
    words = [
        "collect",
        "--repos",
        str(upstream),
        "--git-only",
        "--store",
        str(tmp_path / "s"),
        "--workers",
        "1",
    ]
    return lambda *more: CliRunner().invoke(app, [*words, *more])


def test_run_ends_if_all_workers_die(in_process, monkeypatch):
    monkeypatch.setattr(collect_many, "MAX_DEATHS", 2)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert str(in_process().exception) == "3 workers failed, the last one with exit code 1"


def test_empty_shard_is_a_message_and_no_failure(in_process, tmp_path):
    shard = next(n for n in range(1, 1000) if not select_shard(dict.fromkeys(f"org{i % 4}/lib-{i}" for i in range(COUNT)), f"{n}/999"))  # fmt: skip
    result = in_process("--shard", f"{shard}/999")
    assert (result.exit_code, f"is in shard {shard}/999" in result.stderr) == (0, True)
    assert not (tmp_path / "s").exists()


def test_merge_command_prints_the_number_of_files(whole, tmp_path):
    load("merge")
    for message in (
        f"{len(open_store(whole).manifest['files'])} files copied",
        "0 files copied",
    ):
        result = CliRunner().invoke(app, ["merge", str(whole), "--store", str(tmp_path / "all")])
        assert result.exit_code == 0 and message in result.stderr
    assert read_files(tmp_path / "all") == read_files(whole)


def test_merge_takes_the_whole_later_reading_in_any_order(tmp_path):
    def write_reading(folder, day, people):
        provenance = {"repository": "a/b", "source": "git:x", "retrieved_at": day}
        rows = [
            {**provenance, "day": "2026-01-01", "author": n, "is_bot": False, "commits": 1}
            for n in range(people)
        ]
        writing.write_rows(tmp_path / folder, "contributions", "a/b", rows)
        if folder != "late":
            tag = {**provenance, "tag": "v1", "released_on": "2026-01-02", "is_prerelease": False}
            writing.write_rows(tmp_path / folder, "releases", "a/b", [tag])

    write_reading("early", "2026-02-01", 3)
    write_reading("late", "2026-03-01", 2)
    write_reading("other", "2026-03-01", 5)
    places = [tmp_path / n for n in ("early", "late", "other")]
    merges = []
    for place, order in enumerate(itertools.permutations(places)):
        for one in order:
            merge_stores(tmp_path / f"m{place}", [one])
        merges.append(read_files(tmp_path / f"m{place}"))
    assert all(m == merges[0] for m in merges)
    # "late" and "other" have the same day: the result is exactly one of them
    assert any({k: v for k, v in read_files(p).items() if k != "manifest.json"}
               == {k: v for k, v in merges[0].items() if k != "manifest.json"} for p in places[1:])  # fmt: skip


def test_merge_refuses_a_damaged_file(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "bad")
    next((tmp_path / "bad" / "releases").glob("*.parquet")).write_bytes(b"nonsense")
    with pytest.raises(FactsError, match="does not match its hash"):
        merge_stores(tmp_path / "all", [tmp_path / "bad"])
    with pytest.raises(SnapshotMissing):
        merge_stores(tmp_path / "all", [tmp_path / "nowhere"])


def test_run_with_a_cache_limit(upstream, whole, tmp_path):
    code, stderr = collect(upstream, tmp_path / "store", tmp_path, "--cache-limit", "1KB")
    assert code == 0, stderr
    assert not list((tmp_path / "data" / "advisor" / "git").glob("*.git"))
    assert read_files(tmp_path / "store") == read_files(whole)
