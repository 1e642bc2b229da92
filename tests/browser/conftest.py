"""A real headless Chromium for the tests: found, else installed where that is possible, else named as missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from opened_page import Opened

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli.browser import NAMES, find_browser
from advisor.report.dashboard import render

MONTHS = 30


def _install() -> None:
    """Debian's package, once for all workers; needs root and apt-get."""
    import fcntl

    with (Path(tempfile.gettempdir()) / "advisor-tests-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if find_browser() is None:
            for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
                subprocess.run(["apt-get", "-qq", *command], check=False, capture_output=True,
                               env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})  # fmt: skip


@pytest.fixture(scope="session")
def chromium_path():
    if find_browser() is None and shutil.which("apt-get") and os.geteuid() == 0:
        _install()
    found = find_browser()
    if found is None:
        pytest.skip(
            f"no Chromium on PATH (looked for {', '.join(NAMES)}) and it could not be installed by apt-get: "
            "the tests of the HTML page need one"
        )
    return found


@pytest.fixture(scope="session")
def chromium(chromium_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """The bundled question's page."""
    request = Request()
    question = read_request(request)
    text = render(recommend(question), read_timeline(question, MONTHS))
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def open_page(chromium):
    opened = []

    def go(file, address="", **context):
        opened.append(Opened(chromium, file, address, **context))
        return opened[-1]

    yield go
    for one in opened:
        one.context.close()
