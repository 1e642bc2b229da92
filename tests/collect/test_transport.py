"""Tokens reach only their own host; responses and waits have limits; waits are reported."""

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

from advisor.collect.github.state import CollectionState
from advisor.collect.github.state_place import state_file
from advisor.collect.http import recording, transport
from advisor.collect.http.auth import Credential
from advisor.collect.http.messages import (
    HttpRequest,
    HttpResponse,
    QueryTooHeavy,
    RetryableError,
    check_status,
    clean_text,
    parse_origin,
    read_json,
    read_next_link,
)
from advisor.collect.http.transport import Patience, Transport
from advisor.collect.outcome import CollectionOutcome
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
CREDENTIAL = Credential("test", lambda: SecretStr(TOKEN))


def send(
    handler,
    *,
    url=f"{API}/x",
    read=lambda response: response,
    credentials=None,
    patience=QUICK,
    folder=None,
    **options,
):
    """Send one request through a transport whose network is ``handler``."""

    async def run():
        hosts = credentials if credentials is not None else {parse_origin(API): CREDENTIAL}
        state = CollectionState(folder) if folder else None
        arguments = {"wire": httpx.MockTransport(handler), "patience": patience, "cache": state, **options}
        async with Transport(hosts, **arguments) as wire:
            try:
                return await wire.send(HttpRequest("GET", url), read)
            finally:
                if state:
                    state.close()

    return in_thread(run())


def test_a_redirect_to_another_host_drops_the_token():
    requests = []

    def handler(request):
        requests.append((request.url.host, request.headers.get("authorization")))
        if request.url.path == "/x":
            return httpx.Response(302, headers={"location": "https://other.example/y"})
        return httpx.Response(200, json={})

    credentials = {parse_origin(API): CREDENTIAL, parse_origin("https://other.example"): None}
    send(handler, credentials=credentials)
    assert requests == [("api.github.com", f"Bearer {TOKEN}"), ("other.example", None)]


@pytest.mark.parametrize("location", [
    "https://evil.example/", "http://api.github.com/x", "https://api.github.com:444/x", "file:///etc/passwd",
    "https://api.github.com@evil.example/", "//evil.example/x", "https://api.github.com.evil.example/",
])  # fmt: skip
def test_a_redirect_to_an_unknown_host_is_refused(location):
    requests = []

    def handler(request):
        requests.append(str(request.url))
        return httpx.Response(301, headers={"location": location})

    with pytest.raises(Refused):
        send(handler)
    assert requests == [f"{API}/x"]


def test_a_redirect_loop_ends():
    with pytest.raises(Refused, match="more than"):
        send(lambda _: httpx.Response(301, headers={"location": f"{API}/x"}))


@pytest.mark.parametrize("url", ["https://evil.example/x", "http://127.0.0.1:1/x"])
def test_other_hosts_get_no_request(url):
    with pytest.raises(Refused, match="may send requests to"):
        send(lambda _: httpx.Response(200), url=url)


@pytest.mark.parametrize("url", [
    "http://ghe.example", "ftp://ghe.example", "https://", "https://a b", "https://u:p@ghe.example", "ghe.example",
    "https://ghe.example:99999", "javascript:alert(1)", "https://ghe.exa\nmple",
])  # fmt: skip
def test_invalid_urls_are_refused(url):
    with pytest.raises(InputError):
        parse_origin(url)


def test_a_response_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(transport, "SIZE_LIMIT", 100_000)
    bomb = gzip.compress(b"0" * 50_000_000)
    with pytest.raises(Unsound, match="more than"):
        send(lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=bomb))


def test_a_response_that_is_too_slow_times_out():
    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    patience = Patience(silence=1, response=0.05, backoff=0)
    with pytest.raises(Unreachable, match="in time"):
        send(lambda _: httpx.Response(200, stream=Trickle()), patience=patience)


def test_a_host_that_fails_twice_gets_no_more_requests():
    requests = []

    async def run():
        def handler(request):
            requests.append(request)
            raise httpx.ConnectError(f"refused, and sent {request.headers}")

        async with Transport(
            {parse_origin(API): CREDENTIAL}, wire=httpx.MockTransport(handler), patience=QUICK
        ) as wire:
            for _ in range(10):
                with pytest.raises(Unreachable) as excinfo:
                    await wire.send(HttpRequest("GET", f"{API}/x"), lambda a: a)
                assert TOKEN not in "".join(traceback.format_exception(excinfo.value))

    in_thread(run())
    assert len(requests) == transport.MAX_FAILURES * transport.TRIES


def test_tokens_are_masked_in_responses():
    def handler(request):
        return httpx.Response(
            200, headers={"etag": request.headers["authorization"]}, json=dict(request.headers)
        )

    response = send(handler)
    assert TOKEN not in str(response) and b"***" in response.body


def throttle(*seconds):
    """Return a reader that is throttled once per wait, and then returns the status."""
    waits = list(seconds)

    def read(response):
        if waits:
            raise RetryableError("GitHub: slow down", waits.pop(0), is_throttled=True)
        return response.status

    return read


def test_waits_are_reported_and_limited():
    events = []
    read = throttle(0.01, 0.02)
    assert (
        send(lambda _: httpx.Response(200), read=read, on_event=lambda w, n: events.append((w, n["seconds"])))
        == 200
    )
    assert events == [("wait", 0.0), ("wait", 0.0)]
    with pytest.raises(WaitTooLong, match=r"--max-wait allows 5 s more"):
        send(lambda _: httpx.Response(200), read=throttle(6.0), patience=Patience(limits=5))


def test_a_host_that_is_closed_for_this_run_gets_no_request():
    requests = []

    async def run():
        def handler(request):
            requests.append(request)
            return httpx.Response(200)

        patience = Patience(limits=5)
        async with Transport(
            {parse_origin(API): None}, wire=httpx.MockTransport(handler), patience=patience
        ) as wire:
            with pytest.raises(WaitTooLong):
                await wire.send(HttpRequest("GET", f"{API}/x"), throttle(6.0))
            with pytest.raises(WaitTooLong, match="--max-wait"):
                await wire.send(HttpRequest("GET", f"{API}/y"), lambda a: a)

    in_thread(run())
    assert len(requests) == 1


def test_a_query_does_not_follow_redirects():
    async def run():
        wire = httpx.MockTransport(lambda _: httpx.Response(301, headers={"location": f"{API}/y"}))
        async with Transport({parse_origin(API): CREDENTIAL}, wire=wire, patience=QUICK) as client:
            await client.send(HttpRequest("POST", f"{API}/graphql", body=b"{}"), lambda a: a)

    with pytest.raises(Refused, match="redirects a query"):
        in_thread(run())


@pytest.mark.parametrize(("status", "error", "after"), [
    (429, RetryableError, 7.0), (503, RetryableError, 7.0), (504, QueryTooHeavy, None), (410, RepositoryNotFound, None),
    (418, Refused, None),
])  # fmt: skip
def test_errors_of_statuses(status, error, after):
    with pytest.raises(error) as excinfo:
        check_status(HttpResponse(status, {"retry-after": "7"}, b""), "PyPI")
    assert getattr(excinfo.value, "after", None) == after


def test_a_missing_part_is_reported_once():
    events, outcome = [], CollectionOutcome()
    for _ in range(2):
        outcome.record_missing(
            lambda kind, _: events.append(kind), "o/n", "pypi", "no such package", is_final=True
        )
    assert events == ["none"] and len(outcome.missing) == 1


def test_without_retry_after_a_throttle_waits_a_minute_and_then_longer():
    events = []
    import stamina

    with stamina.set_testing(True, attempts=10):
        send(
            lambda _: httpx.Response(200),
            read=throttle(None, None, None),
            on_event=lambda w, n: events.append(n["seconds"]),
        )
    assert events == [60, 120, 240]


def test_requests_to_a_host_are_serial():
    running, most = 0, 0

    async def handler(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return httpx.Response(200)

    async def run():
        async with Transport({parse_origin(API): None}, wire=httpx.MockTransport(handler)) as wire:
            await asyncio.gather(
                *(wire.send(HttpRequest("GET", f"{API}/{i}"), lambda a: a) for i in range(8))
            )

    in_thread(run())
    assert most == 1


def test_the_cache_stores_no_token_and_no_broken_response(tmp_path):
    bodies = iter([b'{"cut', b'{"a": 1}'])
    requests = []

    def handler(request):
        requests.append(request.headers.get("if-none-match"))
        if requests[-1]:
            return httpx.Response(304, headers={"etag": requests[-1]})
        return httpx.Response(200, headers={"etag": '"1"', "set-cookie": TOKEN}, content=next(bodies))

    def read(response):
        return read_json(response, "x"), response.is_cached

    assert send(handler, read=read, folder=tmp_path) == ({"a": 1}, False)
    assert send(handler, read=read, folder=tmp_path) == ({"a": 1}, True)
    assert requests == [None, None, '"1"'], "a truncated body is not stored under its ETag"
    assert TOKEN.encode() not in state_file(tmp_path).read_bytes()


def test_a_recording_is_replayed_and_holds_no_token(tmp_path):
    file = tmp_path / "answers.jsonl"
    writer = recording.Recording(file, {TOKEN})
    request = HttpRequest("GET", f"{API}/x", {"authorization": f"Bearer {TOKEN}"})
    writer.write(
        request,
        HttpResponse(
            200, {"link": "<y>", "set-cookie": "s", "x-oauth-scopes": "repo"}, f'"{TOKEN}"'.encode()
        ),
    )
    writer.write(request, HttpResponse(200, {}, b"\xff\xfe"))
    writer.close()
    text = file.read_text()
    assert (
        TOKEN not in text and "set-cookie" not in text and "oauth" not in text and "authorization" not in text
    )
    first = json.loads(text.splitlines()[0])
    assert first["response"] == {"status": 200, "headers": {"link": "<y>"}, "body": '"***"'}

    async def run():
        async with Transport({parse_origin(API): None}, wire=recording.replay(file)) as wire:
            return [
                await wire.send(HttpRequest("GET", f"{API}/{p}"), lambda a: a) for p in ("x", "x", "x", "z")
            ]

    responses = in_thread(run())
    assert [a.body for a in responses][:3] == [b'"***"', b"\xff\xfe", b"\xff\xfe"]
    assert responses[3].status == 404


@pytest.mark.parametrize("content", ["", "{", '{"request": 1}', "[]"])
def test_a_file_that_is_not_a_recording(tmp_path, content):
    (tmp_path / "f").write_text(content or "\x00")
    with pytest.raises(InputError, match="not a recording"):
        recording.replay(tmp_path / "f")


def test_text_from_a_source_becomes_one_clean_line():
    wild = "a\x00b\x1b[31mc\u202ed\n\te<script>\ue000" + "x" * 1000
    assert clean_text(wild).startswith("ab[31mcd e<script>x") and len(clean_text(wild)) == 300


def test_next_link():
    assert (
        read_next_link(
            HttpResponse(200, {"link": '<https://a/2>; rel="next", <https://a/9>; rel="last"'}, b"")
        )
        == "https://a/2"
    )
    assert read_next_link(HttpResponse(200, {"link": '<https://a/1>; rel="prev"'}, b"")) is None


def test_a_damaged_or_foreign_state_file_says_what_to_do(tmp_path):
    CollectionState(tmp_path).close()
    with sqlite3.connect(state_file(tmp_path)) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(
        FactsError, match="written by another version of advisor; delete it and collect again"
    ):
        CollectionState(tmp_path)
    state_file(tmp_path).write_bytes(b"no database " * 100)
    with pytest.raises(FactsError, match=r"is damaged .*; delete it and collect again"):
        CollectionState(tmp_path)


def test_a_failed_transaction_changes_nothing(tmp_path):
    state = CollectionState(tmp_path)
    state.save_overview("o/n", 1, {"issues": 3}, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(TypeError):
        state.save_overview("o/n", 2, None, datetime(2026, 1, 2, tzinfo=UTC))
    with sqlite3.connect(state_file(tmp_path)) as db:
        assert db.execute("SELECT github_id FROM overview").fetchall() == [(1,)]
    db.close()
    state.close()
