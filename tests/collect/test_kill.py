"""kill -9 at any moment, and two runs at once: the store stays valid, and a later run completes it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

from collecting import (
    build_command,
    build_environment,
    collect,
    read_all_facts,
    run_advisor,
    serve_fake,
    wait_for_stall,
)
from fake_github import FakeGitHub, World

from advisor.collect.http.transport import TRIES
from advisor.errors import SnapshotMissing
from advisor.facts import reading

NAMES = ("o/a", "o/b")
STORES, KILLS = 5, 10

# One interpreter that has imported everything forks the runs, so that 50 kills do not need 50 starts.
# It reads "seconds store" and prints the exit status; 0 seconds: run to the end.
FORK_SERVER = f"""
import os, signal, sys, threading, time
import advisor.cli, advisor.cli.collect_progress, advisor.collect.apis, advisor.collect.http.auth, advisor.answers.recommend
import advisor.collect.http.recording, advisor.collect.seed, duckdb, stamina, yaml
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


def build_fake():
    world = World(seed=31)
    world.add("o/a", issues=130, pulls=80, discussions=9)
    world.add("o/b", issues=40, pulls=30)
    return FakeGitHub(world)


def has_valid_facts(store) -> bool:
    """Return whether the store holds facts, and check that all of them are valid."""
    try:
        snapshot = reading.open_store(store)
    except SnapshotMissing:
        return False
    assert reading.verify_files(snapshot, snapshot.repositories()) == []
    return True


def test_50_kills(tmp_path):
    rng = random.Random(4)
    with serve_fake(build_fake()) as url:
        fork_server = subprocess.Popen([sys.executable, "-c", FORK_SERVER], env=build_environment(url, tmp_path), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip

        def run(store, seconds=0.0):
            print(seconds, store, file=fork_server.stdin, flush=True)
            return int(fork_server.stdout.readline())

        assert run(tmp_path / "expected") == 0
        expected_facts = read_all_facts(tmp_path / "expected")
        before = time.monotonic()
        assert run(tmp_path / "timed") == 0
        duration = time.monotonic() - before
        kills, stores_with_facts = 0, 0
        for i in range(STORES):
            store, longest = tmp_path / f"s{i}", duration
            for _ in range(KILLS):
                if run(store, rng.uniform(0.02, 0.7) * longest) == -signal.SIGKILL:
                    kills += 1
                else:  # it ended before: later runs of a store have less to do, and a busy machine gets idle
                    longest /= 2
                stores_with_facts += has_valid_facts(store)
            assert run(store) == 0
            assert read_all_facts(store) == expected_facts
        fork_server.stdin.close()
        fork_server.wait()
        fork_server.stdout.close()
    assert kills > STORES * KILLS / 2, "most runs were killed before their end"
    assert stores_with_facts > 0


def test_an_interrupted_run_resumes(tmp_path):
    fake = build_fake()
    fake.faults.queue.extend([None, None, None, *["cut_connection"] * TRIES])
    outcome, _ = collect(fake, tmp_path / "s", ["o/a"])
    assert any("no valid response" in m.reason for m in outcome.missing)
    fake.reset()
    outcome, _ = collect(fake, tmp_path / "s", ["o/a"])
    assert outcome.missing == []
    second_cost = fake.points
    fake.reset()
    collect(fake, tmp_path / "complete", ["o/a"])
    assert second_cost < fake.points, "stored pages are not read again"
    assert read_all_facts(tmp_path / "s") == read_all_facts(tmp_path / "complete")


def test_two_runs_at_once_write_correct_facts(tmp_path):
    fake = build_fake()
    with serve_fake(fake) as url:
        env = build_environment(url, tmp_path)
        args = build_command("collect", *NAMES, "--source", "github", "--store", str(tmp_path / "s"))
        processes = [
            subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        errors = [process.communicate(timeout=300)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], errors
        assert (
            run_advisor(
                "collect", *NAMES, "--source", "github", "--store", str(tmp_path / "one"), env=env
            ).returncode
            == 0
        )
    assert read_all_facts(tmp_path / "s") == read_all_facts(tmp_path / "one")


def test_ctrl_c_ends_with_one_line_and_a_valid_store(tmp_path):
    fake = build_fake()
    fake.faults.queue.extend([None, None, "stall"])
    with serve_fake(fake) as url:
        env = build_environment(url, tmp_path)
        process = subprocess.Popen(build_command("collect", "o/a", "--source", "github", "--store", str(tmp_path / "s")),
                                   env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
        wait_for_stall(fake, process)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "advisor: interrupted; run the same command again to resume"
    assert "Traceback" not in errors
    assert has_valid_facts(tmp_path / "s")
