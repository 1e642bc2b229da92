"""Many repositories: shards merged in any order are the unsharded run, byte for byte, whatever is killed."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bare_environment import bare_environment
from typer.testing import CliRunner

from advisor.cli import app, collect_many, load
from advisor.cli.repository_list import in_shard, read_list
from advisor.collect.many.merge import copy_of, merge
from advisor.collect.many.queue import Plan, Queue
from advisor.errors import FactsError, InputError, SnapshotMissing
from advisor.facts import compaction, writing
from advisor.facts.reading import open_store, read, verify
from advisor.facts.store import part_of

COUNT = 8
DAY = "2026-11-24"


def git(folder, *arguments, day="2026-01-01", who="Ada Byron"):
    stamp = f"{day}T12:00:00+0000"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": f"{who[:3].lower()}@shipyard.org", "GIT_AUTHOR_DATE": stamp,
           "GIT_COMMITTER_NAME": who, "GIT_COMMITTER_EMAIL": "c@shipyard.org", "GIT_COMMITTER_DATE": stamp}  # fmt: skip
    subprocess.run(["git", "-C", str(folder), *arguments], env=env, check=True, capture_output=True)


def commit(folder, n, day, who):
    (folder / f"file{n % 3}.py").write_text(f"x = {n}\n")
    git(folder, "add", ".", day=day, who=who)
    git(folder, "commit", "-q", "-m", f"change {n} (#{n})", day=day, who=who)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """A list of real histories."""
    home = tmp_path_factory.mktemp("upstream")
    lot, lines = random.Random(5), ["# the ecosystem"]
    for number in range(COUNT):
        folder = home / f"lib-{number}"
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        for n in range(4 + number % 3):
            commit(folder, n, f"2026-0{1 + n}-1{number}", lot.choice(["Ada Byron", "Bo Li", "Cy Young"]))
        git(folder, "tag", "v1.0", day="2026-05-01")
        lines.append(f"org{number % 4}/lib-{number} {folder.as_uri()}")
    path = home / "list.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def command(upstream, store, *more, day=DAY):
    when = ["--retrieved-on", day] if day else []
    return [sys.executable, "-m", "advisor", "collect", "--repos", str(upstream), "--git-only", "--store", str(store),
            *when, *more]  # fmt: skip


def environment(home):
    return bare_environment(HOME=str(home), XDG_DATA_HOME=str(home / "data"))


def collect(upstream, store, home, *more, day=DAY):
    done = subprocess.run(command(upstream, store, *more, day=day), env=environment(home), capture_output=True,
                          text=True, check=False, timeout=180)  # fmt: skip
    return done.returncode, done.stderr


def contents(store):
    """Every file of a store but for the marks of the queue and the locks."""
    return {
        p.relative_to(store).as_posix(): p.read_bytes()
        for p in sorted(store.rglob("*"))
        if p.is_file() and ".queue" not in p.parts and p.name != ".lock"
    }


@pytest.fixture(scope="module")
def whole(upstream, tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    code, said = collect(upstream, home / "store", home, "--workers", "2")
    assert code == 0, said
    store = open_store(home / "store")
    assert len(store.repositories()) == COUNT and not verify(store, store.repositories())
    return home / "store"


def test_the_queue_gives_what_one_by_one_gives(upstream, whole, tmp_path):
    for name, where in read_list(upstream).items():
        subprocess.run([sys.executable, "-m", "advisor", "collect", where, "--name", name, "--git-only", "--store",
                        str(tmp_path / "store"), "--retrieved-on", DAY], env=environment(tmp_path), check=True,
                       capture_output=True)  # fmt: skip
        if name.endswith("2"):
            break
    found = contents(tmp_path / "store")
    queued = contents(whole)
    tables = [f for f in found if f.endswith(".parquet")]
    assert len(tables) >= 9 and all(found[f] == queued[f] for f in tables)


def test_shards_with_kills_in_between_are_the_unsharded_run(upstream, whole, tmp_path):
    shards = []
    for number in (1, 2, 3):
        store = tmp_path / f"shard{number}"
        arguments = command(upstream, store, "--shard", f"{number}/3", "--workers", "2")
        kill_until_done(arguments, store, tmp_path, ("leader", "worker", "leader")[number - 1])
        shards.append(store)
    names = [set(open_store(s).repositories()) for s in shards]
    assert set.union(*names) == set(open_store(whole).repositories())
    assert sum(map(len, names)) == COUNT
    expected = {k: v for k, v in contents(whole).items() if k != "measurements.json"}
    for place, order in enumerate(itertools.permutations(shards)):
        together = tmp_path / f"all{place}"
        for one in order[:2]:
            merge(together, [one])
        merge(together, [order[2], order[0]])  # once more changes nothing
        assert contents(together) == expected
    check_compacted(shards, whole, tmp_path)


def check_compacted(shards, whole, folder):
    """Shards and stores that are compacted at any time: the same rows, and once compacted the same bytes."""
    expected = {k: v for k, v in contents(whole).items() if k != "measurements.json"}
    shutil.copytree(whole, folder / "whole")
    in_partitions = compacted(folder / "whole")
    assert set(in_partitions) != set(expected)
    compaction.compact(shards[1], 100)
    for place, order in enumerate(itertools.permutations(shards)):
        merge(folder / f"apart{place}", order)  # out of partitions come the files that they were
        assert contents(folder / f"apart{place}") == expected
        together = folder / f"compacted{place}"
        merge(together, order[:1])
        compaction.compact(together, 100)
        merge(together, order[1:])
        merge(together, [order[2], order[0], folder / "whole"])
        store = open_store(together)
        assert not verify(store, store.repositories())
        assert compacted(together) == in_partitions


def compacted(store):
    """What is in a store after compaction; the second one takes what the first one left for its readers."""
    compaction.compact(store, 200)
    compaction.compact(store, 200)
    return {k: v for k, v in contents(store).items() if k != "measurements.json"}


def test_a_kill_at_any_step_of_a_merge_into_partitions_loses_nothing(whole, tmp_path, monkeypatch):
    """Some readings are newer and stand in for rows in partitions."""
    newer, store = tmp_path / "newer", tmp_path / "store"
    opened = open_store(whole)
    for name in opened.repositories()[::4]:
        copy_of(name, opened, newer / name.replace("/", "__"))
        for table in ("contributions", "releases"):
            days = [{**row, "retrieved_at": "2026-12-01"} for row in read(opened, table, name)]
            writing.write(newer / name.replace("/", "__"), table, name, days)
    others = sorted(newer.iterdir())
    shutil.copytree(whole, store)
    before = rows_by_file(store)
    merge(tmp_path / "expected", [whole, *others])
    after = rows_by_file(tmp_path / "expected")
    assert before != after
    compaction.compact(store, 200)
    left, real = 0, Path.replace

    def dies(self, target):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    for step in range(100):
        killed, left = tmp_path / f"killed{step}", step
        shutil.copytree(store, killed)
        try:
            merge(killed, others)
        except KeyboardInterrupt:
            opened = open_store(killed)
            assert not verify(opened, opened.repositories())
            assert rows_by_file(killed) in (before, after)
            left = 1000
            merge(killed, others)
        else:
            break
        finally:
            assert rows_by_file(killed) == after
    assert step > 2 * len(others)
    monkeypatch.undo()
    assert compacted(killed) == compacted(tmp_path / "expected")


def rows_by_file(store):
    opened = open_store(store)
    found = {}
    for file in opened.manifest["files"]:
        name, part = part_of(file)
        found[file] = sorted(map(str, read(opened, file.partition("/")[0], name, part)))
    return found


def kill_until_done(arguments, store, home, whom):
    """Kill -9 the leader, or a worker, once something has begun or is done; then let it end."""
    lot = random.Random(str(store.name))

    def start():
        return subprocess.Popen(
            arguments, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    process = start()
    while process.poll() is None and not settled(store):
        time.sleep(0.005)
    time.sleep(lot.random() * 0.3)
    if whom == "worker":
        if workers := children(process.pid):
            os.kill(workers[0], signal.SIGKILL)
        assert process.wait(120) == 0  # another one took its place
    else:
        process.kill()
        process.wait()
        assert start().wait(120) == 0
    assert not Queue(store).failures()


def settled(store):
    return sum(len(list((store / ".queue" / kind).glob("*"))) for kind in ("done", "parts", "making"))


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_second_round_reads_what_is_new_and_a_finished_one_leaves_no_mark(upstream, whole, tmp_path):
    store = tmp_path / "store"
    few = tmp_path / "few.txt"
    few.write_text("\n".join(upstream.read_text().splitlines()[:3]) + "\n")
    assert collect(few, store, tmp_path)[0] == 0
    assert not (store / ".queue" / "plan.json").exists()
    clone = tmp_path / "lib-new"
    subprocess.run(["git", "clone", "-q", str(upstream.parent / "lib-0"), str(clone)], check=True)
    commit(clone, 99, "2026-06-01", "Di Xu")
    few.write_text(f"org0/lib-0 {clone.as_uri()}\n")
    shutil_cache = tmp_path / "data" / "advisor" / "git" / "org0__lib-0.git"
    subprocess.run(
        ["git", "-C", str(shutil_cache), "remote", "set-url", "origin", clone.as_uri()], check=True
    )
    before = sum(r["commits"] for r in read(open_store(store), "contributions", "org0/lib-0"))
    assert collect(few, store, tmp_path)[0] == 0
    after = sum(r["commits"] for r in read(open_store(store), "contributions", "org0/lib-0"))
    assert after == before + 1
    assert len(open_store(store).repositories()) == 2  # the other one stays


def test_a_second_round_into_a_compacted_store_is_the_second_round(upstream, whole, tmp_path):
    """Histories are read from where they were: the marks of what was read lie in partitions too."""
    clone = tmp_path / "upstream"
    shutil.copytree(upstream.parent, clone)
    path = clone / "list.txt"
    path.write_text(upstream.read_text().replace(upstream.parent.as_uri(), clone.as_uri()))
    found = []
    for kind in ("loose", "compacted"):
        home = tmp_path / kind
        home.mkdir()
        assert collect(path, home / "store", home)[0] == 0
        if kind == "compacted":
            compaction.compact(home / "store", 200)
    commit(clone / "lib-3", 98, "2026-07-01", "Di Xu")
    for kind in ("loose", "compacted"):
        home = tmp_path / kind
        code, said = collect(path, home / "store", home, day="2026-11-25")
        assert code == 0, said
        found.append((rows_by_file(home / "store"), compacted(home / "store")))
    assert found[0] == found[1] and found[0][0] != rows_by_file(whole)


def test_what_cannot_be_had_is_told_and_tried_again(upstream, tmp_path):
    lines = upstream.read_text().splitlines()[1:3]
    gone = tmp_path / "not-there"
    path = tmp_path / "list.txt"
    path.write_text("\n".join([*lines, f"no/where {gone.as_uri()}"]) + "\n")
    code, said = collect(path, tmp_path / "store", tmp_path, day=None)
    assert code == 3 and "no/where: " in said and "2 of 3 repositories are whole, 1 failed" in said
    subprocess.run(["git", "clone", "-q", str(upstream.parent / "lib-0"), str(gone)], check=True)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "store").rglob("*.parquet")}
    code, said = collect(path, tmp_path / "store", tmp_path, day=None)
    assert code == 0, said
    assert times.items() <= {p: p.stat().st_mtime_ns for p in (tmp_path / "store").rglob("*.parquet")}.items()
    assert len(open_store(tmp_path / "store").repositories()) == 3


def test_two_leaders_do_not_share_a_store(tmp_path):
    first, second = Queue(tmp_path), Queue(tmp_path)
    with first.held(), pytest.raises(InputError, match="another process collects"), second.held():
        pass
    with second.held():
        pass


def test_a_repository_that_ends_its_workers_is_given_up(tmp_path):
    queue = Queue(tmp_path)
    queue.begin(Plan({"a/b": "x"}, {"a/b": None}, ("git",), DAY, str(tmp_path)), None)
    for _ in range(3):
        queue.making("a/b")
    with pytest.raises(FactsError, match="3 workers ended over it"):
        queue.making("a/b")


def test_facts_that_somebody_took_away_are_collected_again(tmp_path):
    queue, plan = Queue(tmp_path), Plan({"a/b": "x"}, {"a/b": None}, ("git",), DAY, str(tmp_path))
    queue.begin(plan, None)
    (tmp_path / ".queue" / "done" / "a__b").touch()
    assert queue.is_done("a/b")
    queue.begin(plan, None)
    assert not queue.is_done("a/b")
    (tmp_path / ".queue" / "plan.json").unlink()
    with pytest.raises(FactsError, match="begin the collection anew"):
        queue.plan()


@pytest.fixture
def in_process(upstream, tmp_path, monkeypatch):
    """Collect what the list names, from here: what becomes of the workers is up to the test."""
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


def test_workers_that_all_die_are_given_up_and_the_run_ends(in_process, monkeypatch):
    monkeypatch.setattr(collect_many, "DEATHS", 2)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert str(in_process().exception) == "3 workers ended with an error; the last one with 1"


def test_a_shard_without_a_repository_is_said_and_is_no_failure(in_process, tmp_path):
    shard = next(n for n in range(1, 1000) if not in_shard(dict.fromkeys(f"org{i % 4}/lib-{i}" for i in range(COUNT)), f"{n}/999"))  # fmt: skip
    done = in_process("--shard", f"{shard}/999")
    assert (done.exit_code, f"is in shard {shard}/999" in done.stderr) == (0, True)
    assert not (tmp_path / "s").exists()


def test_the_command_merges_and_says_what_it_took(whole, tmp_path):
    load("merge")
    for expected in (
        f"{len(open_store(whole).manifest['files'])} files taken over",
        "0 files taken over",
    ):
        done = CliRunner().invoke(app, ["merge", str(whole), "--store", str(tmp_path / "all")])
        assert done.exit_code == 0 and expected in done.stderr
    assert contents(tmp_path / "all") == contents(whole)


def test_of_two_readings_the_later_one_stays_whole_whatever_the_order(tmp_path):
    def reading(folder, day, people):
        about = {"repository": "a/b", "source": "git:x", "retrieved_at": day}
        rows = [
            {**about, "day": "2026-01-01", "author": n, "is_bot": False, "commits": 1} for n in range(people)
        ]
        writing.write(tmp_path / folder, "contributions", "a/b", rows)
        if folder != "late":
            tag = {**about, "tag": "v1", "released_on": "2026-01-02", "is_prerelease": False}
            writing.write(tmp_path / folder, "releases", "a/b", [tag])

    reading("early", "2026-02-01", 3)
    reading("late", "2026-03-01", 2)
    reading("other", "2026-03-01", 5)
    places = [tmp_path / n for n in ("early", "late", "other")]
    found = []
    for place, order in enumerate(itertools.permutations(places)):
        for one in order:
            merge(tmp_path / f"m{place}", [one])
        found.append(contents(tmp_path / f"m{place}"))
    assert all(f == found[0] for f in found)
    # late and other are of one day: one of the two is there as a whole, and nothing of a third
    assert any({k: v for k, v in contents(p).items() if k != "manifest.json"}
               == {k: v for k, v in found[0].items() if k != "manifest.json"} for p in places[1:])  # fmt: skip


def test_a_damaged_file_is_not_taken_over(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "bad")
    next((tmp_path / "bad" / "releases").glob("*.parquet")).write_bytes(b"nonsense")
    with pytest.raises(FactsError, match="does not agree with its hash"):
        merge(tmp_path / "all", [tmp_path / "bad"])
    with pytest.raises(SnapshotMissing):
        merge(tmp_path / "all", [tmp_path / "nowhere"])


def test_the_list_and_the_shards(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a/b  # why\n\nc/d https://example.org/c/d.git\n")
    assert read_list(path) == {"a/b": "a/b", "c/d": "https://example.org/c/d.git"}
    many = {f"o{n}/r{n}": "x" for n in range(3000)}
    parts = [in_shard(many, f"{i}/3") for i in (1, 2, 3)]
    assert sum(map(len, parts)) == 3000 and set().union(*parts) == set(many)
    assert all(900 < len(p) < 1100 for p in parts)
    for text, why in (
        ("a/b\na/b\n", "list.txt:2: a/b: is there twice"),
        ("ab\n", "list.txt:1: 'ab'"),
        ("#\n", "names no"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            read_list(path)
    for shard in ("0/3", "4/3", "x", "1/"):
        with pytest.raises(InputError, match="write it as i/n"):
            in_shard(many, shard)


def test_a_run_within_a_limit_of_the_cache(upstream, whole, tmp_path):
    code, said = collect(upstream, tmp_path / "store", tmp_path, "--cache-limit", "1KB")
    assert code == 0, said
    assert not list((tmp_path / "data" / "advisor" / "git").glob("*.git"))
    assert contents(tmp_path / "store") == contents(whole)


def test_no_secret_is_in_the_plan(tmp_path):
    queue = Queue(tmp_path)
    queue.begin(Plan({"a/b": "x"}, {"a/b": None}, ("git",), DAY, "cache"), None)
    assert set(json.loads((tmp_path / ".queue" / "plan.json").read_text())) == {
        "histories", "packages", "sources", "day", "cache", "cache_limit", "github_url", "max_wait",
    }  # fmt: skip
