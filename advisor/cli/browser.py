"""Find a local Chromium, and take a picture of a page with it.

Controls Chromium over two pipes with Chrome's DevTools protocol: each message is a JSON object and a zero
byte. So the picture is taken when the page reports that it is ready, and not after a guessed delay.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, cast

from advisor.errors import AdvisorError
from advisor.files import write_atomically
from advisor.write_errors import report_write_errors

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


class Shape(NamedTuple):
    """What a picture shows: its size in pixels, and whether only the answer, in large letters."""

    width: int
    height: int
    is_card: bool = False


SCREEN, CARD = Shape(1440, 1000), Shape(1200, 630, is_card=True)
TIMEOUT_SECONDS = 60
_AS_CARD = 'document.documentElement.dataset.card = "yes"'
_IS_READY = """
new Promise((resolve) => {
  const isReady = () => document.documentElement.dataset.ready === "yes";
  const check = () => isReady() ? resolve(true) : setTimeout(check, 20);
  check();
})
"""


def find_browser() -> str | None:
    """Return the path of a Chromium or Chrome on PATH or in the usual places; None if there is none."""
    on_path = (shutil.which(name) for name in NAMES)
    return next((p for p in on_path if p), next((p for p in PLACES if Path(p).exists()), None))


def take_picture(page: Path, png: Path, shape: Shape = SCREEN) -> None:
    """Write a picture of the top of a page, in the light colour scheme.

    Raises:
        AdvisorError: there is no browser, or it failed.
        InputError: the file of the picture cannot be written.
    """
    browser = find_browser()
    if browser is None:
        raise AdvisorError(
            f"{page} is written, but its picture is not: no Chromium was found on PATH (looked for "
            f"{', '.join(NAMES)}); install it, or leave --png out"
        )
    # Chromium may still write into its profile while it exits.
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        _Session(browser, profile) as chrome,
    ):
        target = chrome.call("Target.createTarget", url="about:blank")
        session = chrome.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        chrome.call("Emulation.setDeviceMetricsOverride", session, width=shape.width, height=shape.height,
                    deviceScaleFactor=1, mobile=False)  # fmt: skip
        chrome.call("Page.enable", session)
        chrome.call("Page.navigate", session, url=page.resolve().as_uri())
        chrome.wait_for("Page.loadEventFired")
        chrome.call("Runtime.evaluate", session, expression=_IS_READY, awaitPromise=True)
        if shape.is_card:
            chrome.call("Runtime.evaluate", session, expression=_AS_CARD)
        shot = base64.b64decode(chrome.call("Page.captureScreenshot", session, format="png")["data"])
    with report_write_errors(png):
        png.parent.stat()
        write_atomically(png, shot)


class _Session:
    """A headless Chromium that runs until the end of the block."""

    def __init__(self, browser: str, profile: str) -> None:
        self._browser = browser
        # Chromium's sandbox refuses to run as root; the page is ours and loads nothing.
        root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        self._command = [
            "/bin/sh", "-c", 'exec "$0" "$@" 3<&0 4>&1', browser, "--headless", "--remote-debugging-pipe",
            "--hide-scrollbars", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}", *root,
        ]  # fmt: skip
        self._deadline = time.monotonic() + TIMEOUT_SECONDS
        self._number = 0
        self._buffer = b""
        self._events: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def call(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Send a command, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        try:
            self._stdin.write(json.dumps(message).encode() + b"\0")
            self._stdin.flush()
        except BrokenPipeError:
            raise AdvisorError(f"{self._browser} ended before it took a picture") from None
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AdvisorError(f"{self._browser}: {method}: {answer['error']['message']}")
                return dict(answer["result"])

    def wait_for(self, event: str) -> None:
        """Return when the event has arrived."""
        while event not in self._events:
            self._read()

    @property
    def _stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            seconds = self._deadline - time.monotonic()
            if seconds <= 0 or not select.select([self._stdout], [], [], seconds)[0]:
                raise AdvisorError(f"{self._browser} took no picture within {TIMEOUT_SECONDS} seconds")
            part = os.read(self._stdout.fileno(), 1 << 16)
            if not part:
                raise AdvisorError(f"{self._browser} ended before it took a picture")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        if "method" in answer:
            self._events.append(answer["method"])
        return answer
