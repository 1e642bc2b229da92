"""Workers ask a host by turns, and share what they are told of limits; tokens are used within their own."""

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
from collecting import AT, QUICK, TOKEN, advisor, collect, command, environment, facts_of, run, served
from fake_github import FakeGitHub, World
from pydantic import SecretStr

from advisor.collect.http import auth
from advisor.collect.http.auth import Credential
from advisor.collect.http.messages import Answer, Request, TryAgain, origin, retry_after
from advisor.collect.http.token_pool import TokenPool
from advisor.collect.http.transport import Patience, Transport
from advisor.collect.http.turns import Turns
from advisor.errors import WaitTooLong

TURN = """
import asyncio, sys, time
from pathlib import Path
from advisor.collect.turns import Turns
async def main():
    turns = Turns(Path(sys.argv[1]), pause=0.0)
    for _ in range(15):
        async with turns.at("host"):
            with open(sys.argv[2], "a") as log: log.write(f"in {sys.argv[3]}\\n")
            time.sleep(0.001)
            with open(sys.argv[2], "a") as log: log.write(f"out {sys.argv[3]}\\n")
asyncio.run(main())
"""


def test_processes_never_hold_one_turn_together(tmp_path):
    log = tmp_path / "log"
    workers = [
        subprocess.Popen([sys.executable, "-c", TURN, str(tmp_path / "turns"), str(log), str(n)])
        for n in range(3)
    ]
    assert [w.wait(120) for w in workers] == [0, 0, 0]
    lines = log.read_text().splitlines()
    assert len(lines) == 90
    for entered, left in zip(lines[::2], lines[1::2], strict=True):
        assert entered.replace("in", "out") == left


def test_a_turn_waits_for_the_pause(tmp_path):
    turns = Turns(tmp_path, pause=0.2)
    times = []

    async def ask():
        for _ in range(3):
            async with turns.at("host"):
                times.append(time.time())

    run(ask())
    assert all(b - a >= 0.19 for a, b in itertools.pairwise(times))


def test_a_limit_that_one_was_told_of_holds_for_all(tmp_path):
    now = [1_000.0]
    first, second = (Turns(tmp_path, clock=lambda: now[0]) for _ in range(2))
    first.wait_for("host", 50)
    second.wait_for("host", 5)  # a shorter wait does not take the longer one back
    assert second.seconds_left("host") == 50
    assert second.seconds_left("elsewhere") == 0
    now[0] += 51
    assert second.seconds_left("host") == 0


def test_so_many_at_once_clone_from_a_host_and_the_next_waits(tmp_path):
    turns, order = Turns(tmp_path), []

    def third():
        with turns.slot("git", 2):
            order.append("third")

    with turns.slot("git", 2), turns.slot("git", 2):
        waiting = threading.Thread(target=third)
        waiting.start()
        waiting.join(0.2)
        order.append("the others are through")
    waiting.join(30)
    assert order == ["the others are through", "third"]


def test_a_wait_that_nobody_can_read_is_none(tmp_path):
    turns = Turns(tmp_path, clock=lambda: 1_000.0)
    turns.wait_for("host", 50)
    next(tmp_path.glob("host-until")).write_bytes(b"soon")
    assert turns.seconds_left("host") == 0


@pytest.mark.parametrize(("status", "headers", "seconds"), [
    (403, {"retry-after": "30"}, 30), (429, {"retry-after": "30"}, 30), (200, {"retry-after": "30"}, 0),
    (403, {"retry-after": "soon"}, 0),
])  # fmt: skip
def test_a_token_that_is_told_to_wait_is_left_alone_so_long(tmp_path, status, headers, seconds):
    turns = Turns(tmp_path, clock=lambda: 1_000.0)
    pool = TokenPool([credential("token-a"), credential("token-b")], turns, first=0)
    pool.heard("host", 0, status, headers)
    assert turns.seconds_left(pool.lane("host", 0)) == seconds
    assert pool.pick("host") == (1 if seconds else 0)


def credential(text):
    return Credential("test", lambda: SecretStr(text))


class GitHub:
    """Answers so many requests a token, then says that its hour is spent, as GitHub does."""

    def __init__(self, each):
        self.left, self.asked = dict.fromkeys(("token-a", "token-b"), each), []

    def __call__(self, request):
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        self.left[token] -= 1
        headers = {
            "x-ratelimit-remaining": str(max(0, self.left[token])),
            "x-ratelimit-reset": str(int(time.time()) + 1000),
        }
        if self.left[token] < 0:
            return httpx.Response(403, headers=headers, json={"message": "API rate limit exceeded"})
        return httpx.Response(200, headers=headers, json={})


def read(answer: Answer) -> int:
    if answer.status == 403:
        raise TryAgain("the limit is spent", retry_after(answer) or 1000.0, is_throttled=True)
    return answer.status


def ask(hub, turns, times, patience=QUICK):
    credentials = [credential("token-a"), credential("token-b")]

    async def go():
        pool = TokenPool(credentials, turns, first=0)
        async with Transport({origin(AT.rest): credentials[0]}, patience=patience, wire=httpx.MockTransport(hub),
                             turns=turns, pool=pool) as transport:  # fmt: skip
            return [await transport.send(Request("GET", f"{AT.rest}/rate"), read) for _ in range(times)]

    return run(go())


def test_each_token_is_used_up_to_its_limit_and_never_past_it(tmp_path):
    hub = GitHub(each=4)
    assert ask(hub, Turns(tmp_path, pause=0.0), 8) == [200] * 8
    assert hub.asked == ["token-a"] * 4 + ["token-b"] * 4


def test_when_all_are_spent_it_waits_no_longer_than_allowed(tmp_path):
    hub = GitHub(each=2)
    turns = Turns(tmp_path, pause=0.0)
    assert ask(hub, turns, 4) == [200] * 4
    try:
        ask(hub, turns, 1, Patience(silence=0.3, answer=2.0, limits=10.0, backoff=0.0))
    except WaitTooLong as error:
        assert "--max-wait" in str(error)
    else:
        raise AssertionError("it asked on")
    assert len(hub.asked) == 4, "nobody asked with a token that is spent"


def test_what_lies_on_the_disk_names_no_token(tmp_path):
    ask(GitHub(each=1), Turns(tmp_path, pause=0.0), 2)
    for path in tmp_path.rglob("*"):
        assert "token-a" not in path.name and b"token-a" not in path.read_bytes()
        assert "token-b" not in path.name and b"token-b" not in path.read_bytes()
    assert any(path.stat().st_size for path in tmp_path.rglob("*"))


def test_tokens_are_found(tmp_path):
    env = {"GH_TOKENS": "token-a, token-b\ntoken-a", "GH_TOKEN": "one"}
    found = auth.find_all("https://api.github.com", env, tmp_path)
    assert [c.token().get_secret_value() for c in found] == ["token-a", "token-b"]
    assert "token-a" not in str(found)
    assert [c.found_in for c in auth.find_all("https://api.github.com", {"GH_TOKEN": "one1"}, tmp_path)] == [
        "GH_TOKEN"
    ]
    assert auth.find_all("https://elsewhere.example/api/v3", env, tmp_path) == []
    assert auth.find_all("https://api.github.com", {}, tmp_path) == []


def test_workers_collect_from_github_what_one_process_collects(tmp_path):
    made = World(seed=4)
    names = [f"o/r{n}" for n in range(3)]
    for name in names:
        made.add(name, issues=6, pulls=5, discussions=1)
    fake = FakeGitHub(made)
    _, told = collect(fake, tmp_path / "alone", names)
    assert told
    (tmp_path / "list.txt").write_text("\n".join(names))
    with served(fake) as url:
        env = {
            **environment(url, tmp_path),
            "GH_TOKENS": f"{TOKEN},{TOKEN}2",
            "XDG_DATA_HOME": str(tmp_path / "data"),
        }
        done = advisor("collect", "--repos", str(tmp_path / "list.txt"), "--source", "github", "--workers", "2",
                       "--store", str(tmp_path / "many"), env=env)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert without_days(facts_of(tmp_path / "many")) == without_days(facts_of(tmp_path / "alone"))
    assert TOKEN not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_ctrl_c_ends_leader_and_workers_with_one_line(tmp_path):
    made = World(seed=4)
    made.add("o/r", issues=6)
    fake = FakeGitHub(made)
    fake.faults.queue.extend([None, "stall"])
    (tmp_path / "list.txt").write_text("o/r")
    with served(fake) as url:
        process = subprocess.Popen(command("collect", "--repos", str(tmp_path / "list.txt"), "--source", "github", "--store",
                                           str(tmp_path / "s")), env=environment(url, tmp_path), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        while "stall" not in fake.faults.shown:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody in the foreground is told
        said, _ = process.communicate(timeout=60)  # it ends when nobody holds the pipe any more
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "advisor: interrupted; the same command goes on from here"
    assert "Traceback" not in said


def test_a_worker_without_a_plan_says_so(tmp_path):
    done = subprocess.run([sys.executable, "-m", "advisor.collect.many.worker", str(tmp_path), "0"], check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "plan.json is missing or damaged; begin the collection anew" in done.stderr
    assert "Traceback" not in done.stderr


def without_days(found):
    """Facts but for the day on which they were seen."""
    return {
        file: [{k: v for k, v in row.items() if k not in {"observed_on", "day"}} for row in rows]
        for file, rows in found.items()
    }
