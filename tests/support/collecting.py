"""Collect from the fake GitHub: in this process or as `advisor collect` over loopback; and read what came of it."""

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
from pydantic import SecretStr

from advisor.collect import live
from advisor.collect.github.protocol import endpoints
from advisor.collect.http.auth import Credential
from advisor.collect.http.transport import Patience
from advisor.facts import reading

TOKEN = "ghp_secretTokenOfTheTests0123456789"
AT = endpoints({"GITHUB_API_URL": "http://127.0.0.1:9"})
QUICK = Patience(silence=0.3, answer=2.0, limits=900.0, backoff=0.0)
TODAY = datetime(2026, 11, 24, 13, tzinfo=UTC)


def run(coroutine):
    """Run in a thread of its own: the browser of other tests may have left a loop running in this one."""
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
    **wanted,
):
    """One run in this process; returns the outcome and the events that were told."""
    told = []
    if fake is not None:
        fake.now = lambda: now
    credential = Credential("test", lambda: SecretStr(token)) if token else None
    packages = names if isinstance(names, dict) else dict.fromkeys(names)
    asked = live.Wanted(packages, set(sources), store, AT, credential, lambda: now, patience=patience,
                        wire=wire or Stalling(fake.app), **wanted)  # fmt: skip
    outcome = run(live.collect(asked, lambda what, numbers: told.append((what, dict(numbers)))))
    return outcome, told


class Stalling(httpx.ASGITransport):
    """ASGI knows no read timeout: here is one."""

    async def handle_async_request(self, request):
        wait = request.extensions.get("timeout", {}).get("read")
        try:
            response = await asyncio.wait_for(super().handle_async_request(request), wait)
        except TimeoutError:
            raise httpx.ReadTimeout("stalled", request=request) from None
        body = await response.aread()
        declared = response.headers.get("content-length")
        if declared is not None and int(declared) > len(body) and response.status_code == 200:
            raise httpx.RemoteProtocolError("peer closed the connection", request=request)
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def facts_of(store: Path) -> dict[str, list]:
    """Every file of a store → its rows without the day on which they were read."""
    opened = reading.open_store(store)
    found = {}
    for file in opened.manifest["files"]:
        table, _, rest = file.partition("/")
        stem, _, part = rest.removesuffix(".parquet").partition("@")
        rows = reading.read(opened, table, stem.replace("__", "/", 1), part)
        found[file] = [{k: v for k, v in r.items() if k != "retrieved_at"} for r in rows]
    assert not reading.verify(opened, opened.repositories())
    return found


def threads_of(store: Path, name: str) -> dict[int, dict]:
    opened = reading.open_store(store)
    rows = [r for kind in ("issues", "pullrequests", "discussions")
            for r in reading.read(opened, "threads", name, f"github-{kind}")]  # fmt: skip
    found = {r["number"]: r for r in rows}
    assert len(found) == len(rows), "a thread has two rows"
    return found


def expected_threads(repository) -> dict[int, tuple]:
    """Worked out from the world alone: number → (kind, opened, closed, merged, first response, is_bot)."""
    found = {}
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
            found[t["number"]] = (kind, *times, is_bot)
    return found


def as_expected(rows: dict[int, dict]) -> dict[int, tuple]:
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
def served(fake):
    """The fake over loopback; yields its root URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(fake.app, port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def environment(url: str, home: Path, **more: str) -> dict[str, str]:
    return (
        bare_environment(
            HOME=str(home), GITHUB_API_URL=url, GITHUB_GRAPHQL_URL=f"{url}/graphql", GH_TOKEN=TOKEN
        )
        | more
    )


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "advisor", *args]


def advisor(*args: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(command(*args), env=env, capture_output=True, text=True, check=False, timeout=120)
