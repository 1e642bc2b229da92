"""Collect from the fake GitHub, in this process or with `advisor collect` over loopback; read the results."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn
from bare_environment import bare_environment
from fake_github.faults import IN_PROCESS, Stall
from pydantic import SecretStr

from advisor.collect import apis
from advisor.collect.github.protocol import find_endpoints
from advisor.collect.http.auth import Credential
from advisor.collect.http.transport import Patience
from advisor.facts import reading

TOKEN = "ghp_secretTokenOfTheTests0123456789"
ENDPOINTS = find_endpoints({"GITHUB_API_URL": "http://127.0.0.1:9"})
QUICK = Patience(backoff=0.0)
TODAY = datetime(2026, 11, 24, 13, tzinfo=UTC)


def run(coroutine):
    """Run a coroutine in another thread: tests with a browser can leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def collect(
    fake,
    store: Path,
    names,
    *,
    token=TOKEN,
    sources=("github",),
    patience=QUICK,
    wire=None,
    now=TODAY,
    **options,
):
    """Run one collection in this process; return the outcome and the events."""
    events = []
    if fake is not None:
        fake.now = lambda: now
    credential = Credential("test", lambda: SecretStr(token)) if token else None
    packages = names if isinstance(names, dict) else dict.fromkeys(names)
    request = apis.CollectionRequest(packages, set(sources), store, ENDPOINTS, credential, lambda: now, patience=patience,
                        wire=wire or TransportWithTimeouts(fake.app), **options)  # fmt: skip
    outcome = run(apis.collect_from_apis(request, lambda kind, values: events.append((kind, dict(values)))))
    return outcome, events


class TransportWithTimeouts(httpx.ASGITransport):
    """An ASGI transport on which a request that stalls times out at once, on a machine of any speed."""

    def __init__(self, app):
        async def mark(scope, receive, send):
            await app({**scope, IN_PROCESS: True}, receive, send)

        super().__init__(mark)

    async def handle_async_request(self, request):
        try:
            response = await super().handle_async_request(request)
        except Stall:
            assert request.extensions["timeout"]["read"] == QUICK.silence
            raise httpx.ReadTimeout("stalled", request=request) from None
        body = await response.aread()
        content_length = response.headers.get("content-length")
        if content_length is not None and int(content_length) > len(body) and response.status_code == 200:
            raise httpx.RemoteProtocolError("peer closed the connection", request=request)
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def read_all_facts(store: Path) -> dict[str, list]:
    """Return file → rows without their retrieval day, for every file of a store."""
    snapshot = reading.open_store(store)
    rows_by_file = {}
    for file in snapshot.manifest["files"]:
        table, _, rest = file.partition("/")
        stem, _, part = rest.removesuffix(".parquet").partition("@")
        rows = reading.read_rows(snapshot, table, stem.replace("__", "/", 1), part)
        rows_by_file[file] = [{k: v for k, v in r.items() if k != "retrieved_at"} for r in rows]
    assert not reading.verify_files(snapshot, snapshot.repositories())
    return rows_by_file


def read_threads(store: Path, name: str) -> dict[int, dict]:
    snapshot = reading.open_store(store)
    rows = [r for kind in ("issues", "pullrequests", "discussions")
            for r in reading.read_rows(snapshot, "threads", name, f"github-{kind}")]  # fmt: skip
    threads = {r["number"]: r for r in rows}
    assert len(threads) == len(rows), "a thread has two rows"
    return threads


def list_expected_threads(repository) -> dict[int, tuple]:
    """Return number → (kind, opened, closed, merged, first response, is_bot), computed from the world alone."""
    threads = {}
    kinds = {"issues": "issue", "pullRequests": "change_request", "discussions": "discussion"}
    for key, kind in kinds.items():
        if key == "issues" and not repository["hasIssuesEnabled"]:
            continue
        if key == "discussions" and not repository["hasDiscussionsEnabled"]:
            continue
        for t in repository[key]:
            replies = [(c["createdAt"], c["author"]) for c in t["comments"]]
            replies += [(r["submittedAt"], r["author"]) for r in t.get("reviews", ())]
            human = [at for at, who in replies
                     if (who or {}).get("login") != (t["author"] or {}).get("login")
                     and (who or {}).get("__typename") != "Bot"]  # fmt: skip
            is_bot = (t["author"] or {}).get("__typename") == "Bot"
            times = (t["createdAt"], t["closedAt"], t.get("mergedAt"), min(human, default=None))
            threads[t["number"]] = (kind, *times, is_bot)
    return threads


def to_expected_form(rows: dict[int, dict]) -> dict[int, tuple]:
    def text(time):
        return time and time.strftime("%Y-%m-%dT%H:%M:%SZ")

    return {
        n: (
            r["kind"],
            *(text(r[c]) for c in ("opened_at", "closed_at", "merged_at", "first_response_at")),
            r["is_bot"],
        )
        for n, r in rows.items()
    }


@contextmanager
def serve_fake(fake):
    """Serve the fake over loopback; yield its root URL."""
    server = uvicorn.Server(uvicorn.Config(fake.app, log_level="critical", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def wait_for_stall(fake, process):
    """Wait until a request of a process stalls, which it does until the process ends."""
    while "stall" not in fake.faults.history:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def build_environment(url: str, home: Path, **more: str) -> dict[str, str]:
    return (
        bare_environment(
            HOME=str(home), GITHUB_API_URL=url, GITHUB_GRAPHQL_URL=f"{url}/graphql", GH_TOKEN=TOKEN
        )
        | more
    )


def build_command(*args: str) -> list[str]:
    return [sys.executable, "-m", "advisor", *args]


def run_advisor(*args: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        build_command(*args), env=env, capture_output=True, text=True, check=False, timeout=300
    )
