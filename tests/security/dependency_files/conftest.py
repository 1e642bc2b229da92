"""Fixtures of attacks by dependency files."""

from __future__ import annotations

import os
import socket

import httpx
import pytest
from private_names import PUBLIC_PAGE

from advisor.answers.dependencies import indexes


@pytest.fixture
def wire(monkeypatch, tmp_path):
    """Record every request and every look-up of a host; answer as PyPI and npm do for the public packages."""
    requests: list[str] = []

    async def answer(_self, request: httpx.Request) -> httpx.Response:
        requests.append(f"{request.url} {request.content.decode()}")
        known = "zzz-public" in str(request.url) and request.url.host in {"pypi.org", "registry.npmjs.org"}
        return httpx.Response(200 if known else 404, json=PUBLIC_PAGE if known else {}, request=request)

    def look_up(host, *_, **__):
        requests.append(f"look-up of {host}")
        raise OSError("no network in tests")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for name in os.environ:
        if name.upper().startswith(
            (
                "PIP",
                "UV_",
                "NPM_",
                "PNPM_",
                "YARN_",
                "BUN_",
                "PDM_",
                "GO",
                "GH_",
                "GITHUB_",
                "XDG_",
                "VIRTUAL_ENV",
                "CONDA_",
                "CARGO_",
                "MAVEN_",
                "M2_",
                "GRADLE_",
                "BUNDLE_",
            )
        ):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    (tmp_path / ".git").mkdir()  # the settings of a project end here
    monkeypatch.setattr(indexes, "SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return requests
