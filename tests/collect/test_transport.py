"""Tokens go where they belong and nowhere else; answers are bounded; waits are told and bounded."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import traceback
from datetime import UTC, datetime

import httpx
import pytest
from collecting import QUICK, TOKEN
from collecting import run as in_thread
from pydantic import SecretStr

from advisor.collect.github.state import State
from advisor.collect.http import recording, transport
from advisor.collect.http.auth import Credential
from advisor.collect.http.messages import (
    Answer,
    Request,
    TooHeavy,
    TryAgain,
    check_status,
    clean,
    json_of,
    next_link,
    origin,
)
from advisor.collect.http.transport import Patience, Transport
from advisor.collect.outcome import Outcome
from advisor.errors import (
    FactsError,
    InputError,
    Refused,
    RepositoryNotFound,
    Unreachable,
    Unsound,
    WaitTooLong,
)

API = "https://api.github.com"
MINE = Credential("test", lambda: SecretStr(TOKEN))


def talk(
    handler,
    *,
    url=f"{API}/x",
    read=lambda answer: answer,
    allowed=None,
    patience=QUICK,
    folder=None,
    **options,
):
    """One request through a transport whose network is ``handler``."""

    async def run():
        hosts = allowed if allowed is not None else {origin(API): MINE}
        state = State(folder) if folder else None
        given = {"wire": httpx.MockTransport(handler), "patience": patience, "cache": state, **options}
        async with Transport(hosts, **given) as wire:
            try:
                return await wire.send(Request("GET", url), read)
            finally:
                if state:
                    state.close()

    return in_thread(run())


def test_the_token_goes_to_its_host_and_is_dropped_on_the_way_to_another():
    seen = []

    def handler(request):
        seen.append((request.url.host, request.headers.get("authorization")))
        if request.url.path == "/x":
            return httpx.Response(302, headers={"location": "https://other.example/y"})
        return httpx.Response(200, json={})

    allowed = {origin(API): MINE, origin("https://other.example"): None}
    talk(handler, allowed=allowed)
    assert seen == [("api.github.com", f"Bearer {TOKEN}"), ("other.example", None)]


@pytest.mark.parametrize("location", [
    "https://evil.example/", "http://api.github.com/x", "https://api.github.com:444/x", "file:///etc/passwd",
    "https://api.github.com@evil.example/", "//evil.example/x", "https://api.github.com.evil.example/",
])  # fmt: skip
def test_a_redirect_to_a_stranger_is_refused(location):
    asked = []

    def handler(request):
        asked.append(str(request.url))
        return httpx.Response(301, headers={"location": location})

    with pytest.raises(Refused):
        talk(handler)
    assert asked == [f"{API}/x"]


def test_redirects_in_a_circle_end():
    with pytest.raises(Refused, match="more than"):
        talk(lambda _: httpx.Response(301, headers={"location": f"{API}/x"}))


@pytest.mark.parametrize("url", ["https://evil.example/x", "http://127.0.0.1:1/x"])
def test_other_hosts_are_not_asked(url):
    with pytest.raises(Refused, match="not one of the hosts"):
        talk(lambda _: httpx.Response(200), url=url)


@pytest.mark.parametrize("url", [
    "http://ghe.example", "ftp://ghe.example", "https://", "https://a b", "https://u:p@ghe.example", "ghe.example",
    "https://ghe.example:99999", "javascript:alert(1)", "https://ghe.exa\nmple",
])  # fmt: skip
def test_urls_that_are_none(url):
    with pytest.raises(InputError):
        origin(url)


def test_an_answer_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(transport, "SIZE_LIMIT", 100_000)
    bomb = gzip.compress(b"0" * 50_000_000)
    with pytest.raises(Unsound, match="more than"):
        talk(lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=bomb))


def test_an_answer_that_trickles_is_cut():
    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    patience = Patience(silence=1, answer=0.05, backoff=0)
    with pytest.raises(Unreachable, match="in time"):
        talk(lambda _: httpx.Response(200, stream=Trickle()), patience=patience)


def test_a_host_that_is_lost_is_not_asked_for_ever():
    asked = []

    async def run():
        def handler(request):
            asked.append(request)
            raise httpx.ConnectError(f"refused, and sent {request.headers}")

        async with Transport({origin(API): MINE}, wire=httpx.MockTransport(handler), patience=QUICK) as wire:
            for _ in range(10):
                with pytest.raises(Unreachable) as raised:
                    await wire.send(Request("GET", f"{API}/x"), lambda a: a)
                assert TOKEN not in "".join(traceback.format_exception(raised.value))

    in_thread(run())
    assert len(asked) == transport.LOST * transport.TRIES


def test_what_a_host_echoes_holds_no_token():
    def handler(request):
        return httpx.Response(
            200, headers={"etag": request.headers["authorization"]}, json=dict(request.headers)
        )

    answer = talk(handler)
    assert TOKEN not in str(answer) and b"***" in answer.body


def wait_for(*seconds):
    left = list(seconds)

    def read(answer):
        if left:
            raise TryAgain("GitHub: slow down", left.pop(0), is_throttled=True)
        return answer.status

    return read


def test_waits_are_told_and_bounded():
    told = []
    read = wait_for(0.01, 0.02)
    assert (
        talk(lambda _: httpx.Response(200), read=read, tell=lambda w, n: told.append((w, n["seconds"])))
        == 200
    )
    assert told == [("wait", 0.0), ("wait", 0.0)]
    with pytest.raises(WaitTooLong, match=r"--max-wait allows 5 s more"):
        talk(lambda _: httpx.Response(200), read=wait_for(6.0), patience=Patience(limits=5))


def test_a_host_that_is_closed_for_this_run_is_not_asked_again():
    asked = []

    async def run():
        def handler(request):
            asked.append(request)
            return httpx.Response(200)

        patience = Patience(limits=5)
        async with Transport(
            {origin(API): None}, wire=httpx.MockTransport(handler), patience=patience
        ) as wire:
            with pytest.raises(WaitTooLong):
                await wire.send(Request("GET", f"{API}/x"), wait_for(6.0))
            with pytest.raises(WaitTooLong, match="--max-wait"):
                await wire.send(Request("GET", f"{API}/y"), lambda a: a)

    in_thread(run())
    assert len(asked) == 1


def test_a_query_is_never_sent_on_to_where_a_source_redirects():
    async def run():
        moved = httpx.MockTransport(lambda _: httpx.Response(301, headers={"location": f"{API}/y"}))
        async with Transport({origin(API): MINE}, wire=moved, patience=QUICK) as wire:
            await wire.send(Request("POST", f"{API}/graphql", body=b"{}"), lambda a: a)

    with pytest.raises(Refused, match="redirects a query"):
        in_thread(run())


@pytest.mark.parametrize(("status", "error", "after"), [
    (429, TryAgain, 7.0), (503, TryAgain, 7.0), (504, TooHeavy, None), (410, RepositoryNotFound, None),
    (418, Refused, None),
])  # fmt: skip
def test_what_a_status_means(status, error, after):
    with pytest.raises(error) as raised:
        check_status(Answer(status, {"retry-after": "7"}, b""), "PyPI")
    assert getattr(raised.value, "after", None) == after


def test_what_is_missing_is_told_once():
    told, outcome = [], Outcome()
    for _ in range(2):
        outcome.miss(lambda what, _: told.append(what), "o/n", "pypi", "no such package", is_final=True)
    assert told == ["none"] and len(outcome.missing) == 1


def test_without_retry_after_a_throttle_waits_a_minute_and_then_longer():
    told = []
    import stamina

    with stamina.set_testing(True, attempts=10):
        talk(
            lambda _: httpx.Response(200),
            read=wait_for(None, None, None),
            tell=lambda w, n: told.append(n["seconds"]),
        )
    assert told == [60, 120, 240]


def test_requests_to_a_host_are_made_one_after_the_other():
    running, most = 0, 0

    async def handler(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return httpx.Response(200)

    async def run():
        async with Transport({origin(API): None}, wire=httpx.MockTransport(handler)) as wire:
            await asyncio.gather(*(wire.send(Request("GET", f"{API}/{i}"), lambda a: a) for i in range(8)))

    in_thread(run())
    assert most == 1


def test_conditional_requests_keep_no_token_and_no_broken_answer(tmp_path):
    bodies = iter([b'{"cut', b'{"a": 1}'])
    asked = []

    def handler(request):
        asked.append(request.headers.get("if-none-match"))
        if asked[-1]:
            return httpx.Response(304, headers={"etag": asked[-1]})
        return httpx.Response(200, headers={"etag": '"1"', "set-cookie": TOKEN}, content=next(bodies))

    def read(answer):
        return json_of(answer, "x"), answer.is_cached

    assert talk(handler, read=read, folder=tmp_path) == ({"a": 1}, False)
    assert talk(handler, read=read, folder=tmp_path) == ({"a": 1}, True)
    assert asked == [None, None, '"1"'], "what was cut off is not kept under its ETag"
    assert TOKEN.encode() not in (tmp_path / "collect.sqlite").read_bytes()


def test_a_recording_is_replayed_and_holds_no_token(tmp_path):
    file = tmp_path / "answers.jsonl"
    taken = recording.Recording(file, {TOKEN})
    request = Request("GET", f"{API}/x", {"authorization": f"Bearer {TOKEN}"})
    taken.take(
        request,
        Answer(200, {"link": "<y>", "set-cookie": "s", "x-oauth-scopes": "repo"}, f'"{TOKEN}"'.encode()),
    )
    taken.take(request, Answer(200, {}, b"\xff\xfe"))
    taken.close()
    text = file.read_text()
    assert (
        TOKEN not in text and "set-cookie" not in text and "oauth" not in text and "authorization" not in text
    )
    first = json.loads(text.splitlines()[0])
    assert first["response"] == {"status": 200, "headers": {"link": "<y>"}, "body": '"***"'}

    async def run():
        async with Transport({origin(API): None}, wire=recording.replay(file)) as wire:
            return [await wire.send(Request("GET", f"{API}/{p}"), lambda a: a) for p in ("x", "x", "x", "z")]

    answers = in_thread(run())
    assert [a.body for a in answers][:3] == [b'"***"', b"\xff\xfe", b"\xff\xfe"]
    assert answers[3].status == 404


@pytest.mark.parametrize("content", ["", "{", '{"request": 1}', "[]"])
def test_a_file_that_is_no_recording(tmp_path, content):
    (tmp_path / "f").write_text(content or "\x00")
    with pytest.raises(InputError, match="no recording"):
        recording.replay(tmp_path / "f")


def test_texts_of_strangers_are_one_clean_line():
    wild = "a\x00b\x1b[31mc\u202ed\n\te<script>\ue000" + "x" * 1000
    assert clean(wild).startswith("ab[31mcd e<script>x") and len(clean(wild)) == 300


def test_links():
    assert (
        next_link(Answer(200, {"link": '<https://a/2>; rel="next", <https://a/9>; rel="last"'}, b""))
        == "https://a/2"
    )
    assert next_link(Answer(200, {"link": '<https://a/1>; rel="prev"'}, b"")) is None


def test_a_state_that_is_damaged_or_of_another_version_says_what_to_do(tmp_path):
    State(tmp_path).close()
    with sqlite3.connect(tmp_path / "collect.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(FactsError, match="another version of advisor; delete it to collect anew"):
        State(tmp_path)
    (tmp_path / "collect.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(FactsError, match=r"is damaged .*; delete it to collect anew"):
        State(tmp_path)


def test_a_step_of_the_state_that_fails_changes_nothing(tmp_path):
    state = State(tmp_path)
    state.see("o/n", 1, {"issues": 3}, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(TypeError):
        state.see("o/n", 2, None, datetime(2026, 1, 2, tzinfo=UTC))
    with sqlite3.connect(tmp_path / "collect.sqlite") as db:
        assert db.execute("SELECT github_id FROM overview").fetchall() == [(1,)]
    db.close()
    state.close()
