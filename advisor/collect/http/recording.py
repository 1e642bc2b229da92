"""Record HTTP exchanges as JSON lines, and replay them without a network.

A recording holds only the response headers in `HEADERS`, and no request headers. Known secrets are
replaced by asterisks.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from advisor.collect.http.messages import HttpRequest, HttpResponse
from advisor.errors import InputError
from advisor.facts.checks import check_size
from advisor.write_errors import report_write_errors

HEADERS = frozenset(
    {"content-type", "etag", "last-modified", "link", "location", "retry-after"}
    | {f"x-ratelimit-{k}" for k in ("limit", "remaining", "used", "reset", "resource")}
)


MAX_BYTES = 2**30
"""A larger recording is not read; one of the fine-tuning domain has about 100 MB."""


def _check_base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


class _RecordedRequest(BaseModel):
    model_config = ConfigDict(strict=True)
    method: str
    url: str
    body: str


class _Response(BaseModel):
    model_config = ConfigDict(strict=True)
    status: Annotated[int, Field(ge=200, le=599)]
    headers: dict[
        Annotated[str, Field(pattern=r"^[a-z-]{1,40}$")], Annotated[str, Field(pattern=r"^[ -~]*$")]
    ]
    body: str = ""
    base64: Annotated[str, AfterValidator(_check_base64)] | None = None


class _Exchange(BaseModel):
    """A line of a recording, which may come from a stranger."""

    request: _RecordedRequest
    response: _Response


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced by asterisks."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


class Recording:
    """Appends each exchange to a file as one line of JSON."""

    def __init__(self, path: Path, secrets: Iterable[str] = (), *, append: bool = False) -> None:
        self._secrets = tuple(secrets)
        self._path = path
        with report_write_errors(path):
            self._file = path.open("a" if append else "w", encoding="utf-8")

    def write(self, request: HttpRequest, response: HttpResponse) -> None:
        """Append one exchange."""
        entry: dict[str, Any] = {
            "status": response.status,
            "headers": {k: v for k, v in response.headers.items() if k in HEADERS},
        }
        try:
            entry["body"] = response.body.decode()
        except UnicodeDecodeError:
            entry["base64"] = base64.b64encode(response.body).decode()
        request_entry = {"method": request.method, "url": request.url, "body": (request.body or b"").decode()}
        line = json.dumps({"request": request_entry, "response": entry}, ensure_ascii=False)
        with report_write_errors(self._path):
            self._file.write(mask_secrets(line, self._secrets) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with report_write_errors(self._path):
            self._file.close()


def replay(path: Path) -> httpx.AsyncBaseTransport:
    """Return a transport that answers each request from a recording, in the recorded order.

    The last response to a request is repeated. A request that is not in the recording gets status 404.

    Raises:
        InputError: the file is not a recording.
    """
    responses: dict[tuple[str, str, str], deque[_Response]] = defaultdict(deque)
    try:
        check_size(path, MAX_BYTES)
        with path.open("rb") as file:
            for line in file:
                exchange = _Exchange.model_validate_json(line)
                request = exchange.request
                responses[request.method, request.url, request.body].append(exchange.response)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a line has another form"
        raise InputError(f"{path} is not a recording of `advisor collect` ({reason})") from None

    def handler(request: httpx.Request) -> httpx.Response:
        matches = responses.get((request.method, str(request.url), request.content.decode()))
        if not matches:
            return httpx.Response(404, json={"message": "not in the recording"})
        entry = matches.popleft() if len(matches) > 1 else matches[0]
        content = entry.body.encode() if entry.base64 is None else base64.b64decode(entry.base64)
        return httpx.Response(entry.status, headers=dict(entry.headers), content=content)

    return httpx.MockTransport(handler)
