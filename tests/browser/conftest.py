"""A real headless Chromium for the tests, which is installed if it is missing and that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest
from browser_page import TIMEOUT, BrowserPage

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli.browser import NAMES, find_browser
from advisor.report.dashboard import render

MONTHS = 30


def _install() -> None:
    """Install Debian's package, once for all workers; needs root and apt-get."""
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
    path = find_browser()
    if path is None:
        pytest.skip(
            f"no Chromium on PATH (tried {', '.join(NAMES)}), and apt-get could not install it: "
            "the tests of the HTML page need it"
        )
    return path


@pytest.fixture(scope="session")
def chromium(chromium_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"], timeout=TIMEOUT
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """The page of the bundled question."""
    request = Request()
    question = read_request(request)
    text = render(recommend(question), read_timeline(question, MONTHS))
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def open_once(chromium):
    """Return a function that opens a page for all tests of a module."""
    pages = []

    def open_file(file):
        pages.append(BrowserPage(chromium).open(file))
        return pages[-1]

    yield open_file
    for page in pages:
        page.context.close()


@pytest.fixture(scope="module")
def free_pages(chromium):
    """The pages that no test uses, by the options of their context: a new one takes longer than the report in it."""
    pages = defaultdict(list)
    yield pages
    for page in chain.from_iterable(pages.values()):
        page.context.close()


@pytest.fixture
def open_page(chromium, free_pages):
    """Return a function that opens a page, which another test gets after this one."""
    pages = []

    def open_file(file, address="", **context):
        free = free_pages[repr(context)]
        page = free.pop() if free else BrowserPage(chromium, **context)
        pages.append((free, page))
        return page.open(file, address)

    yield open_file
    for free, page in pages:
        free.append(page)
