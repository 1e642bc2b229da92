"""Workers send requests to a host one at a time and share rate limits; each token has its own limit."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest
from collecting import (
    ENDPOINTS,
    QUICK,
    TOKEN,
    build_command,
    build_environment,
    collect,
    read_all_facts,
    run,
    run_advisor,
    serve_fake,
    wait_for_stall,
)
from fake_github import FakeGitHub, World
from pydantic import SecretStr

from advisor.collect.http import auth
from advisor.collect.http.auth import Credential
from advisor.collect.http.host_lock import HostLocks
from advisor.collect.http.messages import (
    HttpRequest,
    HttpResponse,
    RetryableError,
    parse_origin,
    read_retry_after,
)
from advisor.collect.http.token_pool import TokenPool
from advisor.collect.http.transport import Patience, Transport
from advisor.errors import WaitTooLong
from finetune.runners.emit import is_alive

WORKER = """
import asyncio, sys, time
from pathlib import Path
from advisor.collect.http.host_lock import HostLocks
async def main():
    locks = HostLocks(Path(sys.argv[1]), pause=0.0)
    for _ in range(15):
        async with locks.lock("host"):
            with open(sys.argv[2], "a") as log: log.write(f"in {sys.argv[3]}\\n")
            time.sleep(0.001)
            with open(sys.argv[2], "a") as log: log.write(f"out {sys.argv[3]}\\n")
asyncio.run(main())
"""


def test_only_one_process_holds_a_lock(tmp_path):
    log = tmp_path / "log"
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path / "locks"), str(log), str(n)])
        for n in range(3)
    ]
    assert [w.wait(300) for w in workers] == [0, 0, 0]
    lines = log.read_text().splitlines()
    assert len(lines) == 90
    for entry, leave in zip(lines[::2], lines[1::2], strict=True):
        assert entry.replace("in", "out") == leave


def test_a_lock_waits_for_the_pause(tmp_path):
    locks = HostLocks(tmp_path, pause=0.2)
    times = []

    async def lock_three_times():
        for _ in range(3):
            async with locks.lock("host"):
                times.append(time.time())

    run(lock_three_times())
    assert all(b - a >= 0.19 for a, b in itertools.pairwise(times))


def test_a_block_holds_for_all_processes(tmp_path):
    now = [1_000.0]
    first, second = (HostLocks(tmp_path, clock=lambda: now[0]) for _ in range(2))
    first.block_lane("host", 50)
    second.block_lane("host", 5)  # a shorter block does not replace the longer one
    assert second.remaining_wait("host") == 50
    assert second.remaining_wait("elsewhere") == 0
    now[0] += 51
    assert second.remaining_wait("host") == 0


def test_slots_limit_concurrent_clones_from_a_host(tmp_path):
    locks, order = HostLocks(tmp_path), []

    def third():
        with locks.lock_slot("git", 2):
            order.append("third")

    with locks.lock_slot("git", 2), locks.lock_slot("git", 2):
        thread = threading.Thread(target=third)
        thread.start()
        thread.join(0.2)
        order.append("the others are done")
    thread.join(30)
    assert order == ["the others are done", "third"]


def test_an_unreadable_block_is_ignored(tmp_path):
    locks = HostLocks(tmp_path, clock=lambda: 1_000.0)
    locks.block_lane("host", 50)
    next(tmp_path.glob("host-until")).write_bytes(b"soon")
    assert locks.remaining_wait("host") == 0


@pytest.mark.parametrize(("status", "headers", "seconds"), [
    (403, {"retry-after": "30"}, 30), (429, {"retry-after": "30"}, 30), (200, {"retry-after": "30"}, 0),
    (403, {"retry-after": "soon"}, 0),
])  # fmt: skip
def test_a_throttled_token_is_not_used_while_it_is_blocked(tmp_path, status, headers, seconds):
    locks = HostLocks(tmp_path, clock=lambda: 1_000.0)
    pool = TokenPool([credential("token-a"), credential("token-b")], locks, first=0)
    pool.record_limit("host", 0, status, headers)
    assert locks.remaining_wait(pool.name_lane("host", 0)) == seconds
    assert pool.pick_token("host") == (1 if seconds else 0)


def credential(text):
    return Credential("test", lambda: SecretStr(text))


class GitHub:
    """Answers so many requests per token, then says that the rate limit is used up, as GitHub does."""

    def __init__(self, each):
        self.remaining, self.tokens = dict.fromkeys(("token-a", "token-b"), each), []

    def __call__(self, request):
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.tokens.append(token)
        self.remaining[token] -= 1
        headers = {
            "x-ratelimit-remaining": str(max(0, self.remaining[token])),
            "x-ratelimit-reset": str(int(time.time()) + 1000),
        }
        if self.remaining[token] < 0:
            return httpx.Response(403, headers=headers, json={"message": "API rate limit exceeded"})
        return httpx.Response(200, headers=headers, json={})


def read(response: HttpResponse) -> int:
    if response.status == 403:
        raise RetryableError("the limit is used up", read_retry_after(response) or 1000.0, is_throttled=True)
    return response.status


def send(hub, locks, times, patience=QUICK):
    credentials = [credential("token-a"), credential("token-b")]

    async def send_all():
        pool = TokenPool(credentials, locks, first=0)
        async with Transport({parse_origin(ENDPOINTS.rest): credentials[0]}, patience=patience, wire=httpx.MockTransport(hub),
                             locks=locks, pool=pool) as transport:  # fmt: skip
            return [
                await transport.send(HttpRequest("GET", f"{ENDPOINTS.rest}/rate"), read) for _ in range(times)
            ]

    return run(send_all())


def test_each_token_is_used_up_to_its_limit_and_never_past_it(tmp_path):
    hub = GitHub(each=4)
    assert send(hub, HostLocks(tmp_path, pause=0.0), 8) == [200] * 8
    assert hub.tokens == ["token-a"] * 4 + ["token-b"] * 4


def test_with_all_tokens_used_up_it_waits_no_longer_than_the_user_allows(tmp_path):
    hub = GitHub(each=2)
    locks = HostLocks(tmp_path, pause=0.0)
    assert send(hub, locks, 4) == [200] * 4
    try:
        send(hub, locks, 1, Patience(limits=10.0, backoff=0.0))
    except WaitTooLong as error:
        assert "--max-wait" in str(error)
    else:
        raise AssertionError("it sent another request")
    assert len(hub.tokens) == 4, "no request with a token that is used up"


def test_lock_files_hold_no_token(tmp_path):
    send(GitHub(each=1), HostLocks(tmp_path, pause=0.0), 2)
    for path in tmp_path.rglob("*"):
        assert "token-a" not in path.name and b"token-a" not in path.read_bytes()
        assert "token-b" not in path.name and b"token-b" not in path.read_bytes()
    assert any(path.stat().st_size for path in tmp_path.rglob("*"))


def test_tokens_from_the_environment(tmp_path):
    env = {"GH_TOKENS": "token-a, token-b\ntoken-a", "GH_TOKEN": "one"}
    credentials = auth.find_credentials("https://api.github.com", env, tmp_path)
    assert [c.get_token().get_secret_value() for c in credentials] == ["token-a", "token-b"]
    assert "token-a" not in str(credentials)
    assert [
        c.source for c in auth.find_credentials("https://api.github.com", {"GH_TOKEN": "one1"}, tmp_path)
    ] == ["GH_TOKEN"]
    assert auth.find_credentials("https://elsewhere.example/api/v3", env, tmp_path) == []
    assert auth.find_credentials("https://api.github.com", {}, tmp_path) == []


def test_workers_collect_from_github_what_one_process_collects(tmp_path):
    world = World(seed=4)
    names = [f"o/r{n}" for n in range(3)]
    for name in names:
        world.add(name, issues=6, pulls=5, discussions=1)
    fake = FakeGitHub(world)
    _, events = collect(fake, tmp_path / "alone", names)
    assert events
    (tmp_path / "list.txt").write_text("\n".join(names))
    with serve_fake(fake) as url:
        env = {
            **build_environment(url, tmp_path),
            "GH_TOKENS": f"{TOKEN},{TOKEN}2",
            "XDG_DATA_HOME": str(tmp_path / "data"),
        }
        process = run_advisor("collect", "--repos", str(tmp_path / "list.txt"), "--source", "github", "--workers", "2",
                       "--store", str(tmp_path / "many"), env=env)  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert without_days(read_all_facts(tmp_path / "many")) == without_days(read_all_facts(tmp_path / "alone"))
    assert TOKEN not in process.stdout + process.stderr
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_ctrl_c_ends_all_processes_with_one_line(tmp_path):
    world = World(seed=4)
    world.add("o/r", issues=6)
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, "stall"])
    (tmp_path / "list.txt").write_text("o/r")
    with serve_fake(fake) as url:
        process = subprocess.Popen(build_command("collect", "--repos", str(tmp_path / "list.txt"), "--source", "github", "--store",
                                           str(tmp_path / "s")), env=build_environment(url, tmp_path), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        wait_for_stall(fake, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole process group
        output, _ = process.communicate(timeout=300)  # it ends when no process has the pipe open
    assert process.returncode == 130
    assert output.strip().splitlines()[-1] == "advisor: interrupted; run the same command again to resume"
    assert "Traceback" not in output


def test_ctrl_c_while_workers_start_ends_them_without_a_word(tmp_path):
    """The group of a terminal's process gets Ctrl-C; a worker that still imports its modules could not handle it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib, sys, time\n"
        "if 'advisor.collect.many.worker' in sys.orig_argv:\n"
        f"    pathlib.Path({str(tmp_path)!r}, f'worker {{os.getpid()}} {{os.getpgrp()}}').touch()\n"
        "    time.sleep(600)\n"
    )
    (tmp_path / "list.txt").write_text("o/a\no/b\n")
    env = build_environment("http://127.0.0.1:9", tmp_path, PYTHONPATH=str(tmp_path))
    process = subprocess.Popen(build_command("collect", "--repos", str(tmp_path / "list.txt"), "--source", "github", "--store",
                                       str(tmp_path / "s"), "--workers", "2"), env=env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    while len(workers := [path.name.split() for path in tmp_path.glob("worker *")]) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    lines = [line for line in output.splitlines() if line != "0 of 2 repositories collected, 0 failed"]
    assert (process.returncode, lines) == (
        130,
        ["advisor: interrupted; run the same command again to resume"],
    )
    for _, worker, group in workers:
        assert group == worker, "it got the signal"
        assert not is_alive(int(worker))


def test_a_worker_without_a_plan_says_so(tmp_path):
    process = subprocess.run([sys.executable, "-m", "advisor.collect.many.worker", str(tmp_path), "0", "1"], check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert (process.returncode, process.stdout) == (1, "")
    assert "plan.json is missing or damaged: start the collection again" in process.stderr
    assert "Traceback" not in process.stderr


def without_days(facts):
    """Return facts without the day of the collection."""
    return {
        file: [{k: v for k, v in row.items() if k not in {"observed_on", "day"}} for row in rows]
        for file, rows in facts.items()
    }
