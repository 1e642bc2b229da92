"""kill -9 at any moment, and two at once: the store opens, and the next run ends where an undisturbed one does."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

from collecting import advisor, collect, command, environment, facts_of, served
from fake_github import FakeGitHub, World

from advisor.collect.http.transport import TRIES
from advisor.errors import SnapshotMissing
from advisor.facts import reading

NAMES = ("o/a", "o/b")
STORES, DEATHS = 5, 10

# One interpreter with everything imported forks the runs, so that 50 deaths do not cost 50 starts.
# It reads "seconds store" and answers with the exit status; 0 seconds: until its end.
NURSERY = f"""
import os, signal, sys, threading, time
import advisor.cli, advisor.cli.collect_progress, advisor.collect.live, advisor.collect.auth, advisor.advise
import advisor.collect.recording, advisor.collect.seed, duckdb, stamina, yaml
for line in sys.stdin:
    seconds, store = line.split()
    child = os.fork()
    if not child:
        sys.argv = ["advisor", "collect", *{NAMES!r}, "--source", "github", "--store", store]
        try:
            advisor.cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        os._exit(code)
    if float(seconds):
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def fake():
    world = World(seed=31)
    world.add("o/a", issues=130, pulls=80, discussions=9)
    world.add("o/b", issues=40, pulls=30)
    return FakeGitHub(world)


def opens(store) -> bool:
    """Whether something can be read from the store, and all of it is sound."""
    try:
        opened = reading.open_store(store)
    except SnapshotMissing:
        return False
    assert reading.verify(opened, opened.repositories()) == []
    return True


def test_50_deaths(tmp_path):
    rng = random.Random(4)
    with served(fake()) as url:
        nursery = subprocess.Popen([sys.executable, "-c", NURSERY], env=environment(url, tmp_path), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip

        def run(store, seconds=0.0):
            print(seconds, store, file=nursery.stdin, flush=True)
            return int(nursery.stdout.readline())

        assert run(tmp_path / "undisturbed") == 0
        undisturbed = facts_of(tmp_path / "undisturbed")
        before = time.monotonic()
        assert run(tmp_path / "timed") == 0
        lasts = time.monotonic() - before
        died, had_something = 0, 0
        for i in range(STORES):
            store = tmp_path / f"s{i}"
            for _ in range(DEATHS):
                # Later deaths of a store strike runs that have little left to do: those are shorter.
                died += run(store, rng.uniform(0.02, 0.7) * lasts) == -signal.SIGKILL
                had_something += opens(store)
            assert run(store) == 0
            assert facts_of(store) == undisturbed
        nursery.stdin.close()
        nursery.wait()
        nursery.stdout.close()
    assert died > STORES * DEATHS / 2, "most were killed while they ran"
    assert had_something > 0


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    there = fake()
    there.faults.queue.extend([None, None, None, *["cut_connection"] * TRIES])
    outcome, _ = collect(there, tmp_path / "s", ["o/a"])
    assert any("no sound answer" in m.why for m in outcome.missing)
    there.reset()
    outcome, _ = collect(there, tmp_path / "s", ["o/a"])
    assert outcome.missing == []
    asked_again = there.points
    there.reset()
    collect(there, tmp_path / "anew", ["o/a"])
    assert asked_again < there.points, "what was had is not asked for again"
    assert facts_of(tmp_path / "s") == facts_of(tmp_path / "anew")


def test_two_at_once_do_not_harm_each_other(tmp_path):
    there = fake()
    with served(there) as url:
        env = environment(url, tmp_path)
        args = command("collect", *NAMES, "--source", "github", "--store", str(tmp_path / "s"))
        both = [
            subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        said = [process.communicate(timeout=100)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert (
            advisor(
                "collect", *NAMES, "--source", "github", "--store", str(tmp_path / "one"), env=env
            ).returncode
            == 0
        )
    assert facts_of(tmp_path / "s") == facts_of(tmp_path / "one")


def test_ctrl_c_ends_with_one_line_and_keeps_what_it_had(tmp_path):
    there = fake()
    there.faults.queue.extend([None, None, "stall", "stall", "stall"])
    with served(there) as url:
        env = environment(url, tmp_path)
        process = subprocess.Popen(command("collect", "o/a", "--source", "github", "--store", str(tmp_path / "s")),
                                   env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
        while "stall" not in there.faults.shown:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "advisor: interrupted; the same command goes on from here"
    assert "Traceback" not in said
    assert opens(tmp_path / "s")
