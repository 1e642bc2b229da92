"""Exchanges as JSON lines: recorded where there is a network, replayed where there is none.

Only the headers of an allow-list are kept, none of the request's; known secrets are struck out.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from advisor.collect.http.messages import Answer, Request
from advisor.errors import InputError

HEADERS = frozenset(
    {"content-type", "etag", "last-modified", "link", "location", "retry-after"}
    | {f"x-ratelimit-{k}" for k in ("limit", "remaining", "used", "reset", "resource")}
)


def strike_out(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by asterisks."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


class Recording:
    """Appends each exchange to a file as one line of JSON."""

    def __init__(self, path: Path, secrets: Iterable[str] = (), *, goes_on: bool = False) -> None:
        self._secrets = tuple(secrets)
        try:
            self._file = path.open("a" if goes_on else "w", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None

    def take(self, request: Request, answer: Answer) -> None:
        """Write one exchange down."""
        said: dict[str, Any] = {
            "status": answer.status,
            "headers": {k: v for k, v in answer.headers.items() if k in HEADERS},
        }
        try:
            said["body"] = answer.body.decode()
        except UnicodeDecodeError:
            said["base64"] = base64.b64encode(answer.body).decode()
        asked = {"method": request.method, "url": request.url, "body": (request.body or b"").decode()}
        line = json.dumps({"request": asked, "response": said}, ensure_ascii=False)
        self._file.write(strike_out(line, self._secrets) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def replay(path: Path) -> httpx.AsyncBaseTransport:
    """What stands in for the network: answers as recorded, in order; the last one is given again.

    A request that was not recorded is answered with status 404.

    Raises:
        InputError: the file is no recording.
    """
    answers: dict[tuple[str, str, str], deque[dict[str, Any]]] = defaultdict(deque)
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            exchange = json.loads(line)
            asked = exchange["request"]
            answers[asked["method"], asked["url"], asked["body"]].append(exchange["response"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no recording of advisor collect ({type(error).__name__})") from None

    def handler(request: httpx.Request) -> httpx.Response:
        known = answers.get((request.method, str(request.url), request.content.decode()))
        if not known:
            return httpx.Response(404, json={"message": "not in the recording"})
        said = known.popleft() if len(known) > 1 else known[0]
        body = base64.b64decode(said["base64"]) if "base64" in said else said["body"].encode()
        return httpx.Response(said["status"], headers=said["headers"], content=body)

    return httpx.MockTransport(handler)
