"""Firefox for the tests, driven by its own WebDriver BiDi: https://w3c.github.io/webdriver-bidi/

Playwright drives only its own build of Firefox, selenium needs geckodriver, and a package index has neither.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from itertools import count

from websockets.sync.client import connect

NAMES = ("firefox", "firefox-esr")
TIMEOUT = 120  # seconds, on a busy machine


def find_firefox():
    """Return the path of Firefox; None if it is not on PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def open_firefox(folder, preferences):
    """Start a headless Firefox with a new profile in a folder; end it afterwards."""
    settings = {"browser.shell.checkDefaultBrowser": False, **preferences}
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items())
    (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
    command = [
        find_firefox(),
        "--headless",
        "--no-remote",
        "--profile",
        str(folder),
        "--remote-debugging-port",
        "0",
    ]
    with (
        (folder / "firefox.log").open("w+", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            with connect(f"{_wait_for_address(log, process)}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()


def _wait_for_address(log, process):
    start = "WebDriver BiDi listening on "
    for _ in range(10 * TIMEOUT):
        log.seek(0)
        for line in log:
            if line.startswith(start) and line.endswith("\n"):
                return line.removeprefix(start).strip()
        assert process.poll() is None, f"Firefox ended: see {log.name}"
        time.sleep(0.1)
    raise AssertionError(f"Firefox does not listen: see {log.name}")


class Firefox:
    """A Firefox with one tab, its console messages and its requests."""

    def __init__(self, socket):
        self.socket, self.numbers, self.events = socket, count(1), []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.tab = self.send("browsingContext.getTree")["contexts"][0]["context"]

    def send(self, method, **params):
        """Send a command, and return its result; keep the events that come before it."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=TIMEOUT))
            if message.get("id") == number:
                assert message["type"] == "success", message
                return message["result"]
            self.events.append(message)

    def open(self, address, size=(1440, 900), wait="complete"):
        """Open an address in a new tab: what the page before still does, no test sees."""
        earlier_tab = self.tab
        self.tab = self.send("browsingContext.create", type="tab")["context"]
        self.send("browsingContext.close", context=earlier_tab)
        self.send("browsingContext.activate", context=self.tab)
        self.send(
            "browsingContext.setViewport", context=self.tab, viewport={"width": size[0], "height": size[1]}
        )
        self.events.clear()
        self.send("browsingContext.navigate", context=self.tab, url=address, wait=wait)

    def evaluate(self, script):
        """Return the value of an expression, which may be a promise."""
        answer = self.send(
            "script.evaluate", expression=f"(async () => JSON.stringify(await ({script})))()",
            target={"context": self.tab}, awaitPromise=True, userActivation=True,
        )  # fmt: skip
        assert answer["type"] == "success", answer
        return json.loads(answer["result"].get("value") or "null")

    def wait_until(self, condition):
        self.evaluate(
            f"(async () => {{ while (!({condition})) await new Promise((r) => setTimeout(r, 50)); }})()"
        )

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.send("input.performActions", context=self.tab, actions=[keyboard])

    def print(self):
        """Return the page as PDF."""
        return base64.b64decode(self.send("browsingContext.print", context=self.tab)["data"])

    @property
    def messages(self):
        return [e["params"]["text"] for e in self.events if e.get("method") == "log.entryAdded"]

    @property
    def requests(self):
        """The addresses that the page loads; a data address is a part of the page itself."""
        sent = [e["params"] for e in self.events if e.get("method") == "network.beforeRequestSent"]
        addresses = [e["request"]["url"] for e in sent if e["context"] == self.tab]
        return [address for address in addresses if not address.startswith("data:")]
