"""HTTP requests and responses as values, without any I/O, and the checks of both."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from advisor.errors import CollectError, InputError, Refused, RepositoryNotFound, Unsound

TEXT_LIMIT = 300
"""Longest text from a source, in characters; the rest is cut off."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class HttpRequest:
    """A request without credentials; the transport adds the credentials of the host, if it has any."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class HttpResponse:
    """A response: header names in lower case, ``is_cached`` if the body comes from the cache (status 304)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cached: bool = False


class RetryableError(CollectError):
    """The request failed, and a retry may succeed.

    Attributes:
        after: seconds that the source asks to wait; None: it names no time.
        is_throttled: whether a rate limit is the cause; then waits start at a minute and grow.
    """

    def __init__(self, reason: str, after: float | None = None, *, is_throttled: bool = False) -> None:
        super().__init__(reason)
        self.after, self.is_throttled = after, is_throttled


class QueryTooHeavy(RetryableError):
    """The source gave up on the query; a smaller one may succeed."""


def parse_origin(url: str) -> str:
    """Return ``scheme://host:port`` of a URL in lower case.

    Raises:
        InputError: the URL is not https (or http for localhost), names no host, or holds a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(f"{clean_text(url)!r} is not a URL") from None
    host = (parts.hostname or "").lower()
    if (
        clean_text(url, 2000) != url
        or not host
        or "@" in parts.netloc
        or not re.fullmatch(r"[a-z0-9.:-]+", host)
    ):
        raise InputError("a URL must name a host, without user or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise InputError(f"{host}: only https URLs are supported (http for localhost)")
    port = port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def quote_segment(text: str) -> str:
    """Quote one segment of a URL's path."""
    return quote(text, safe="")


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a source's text on one line, without control characters, cut to ``limit`` characters."""
    line = "".join(" " if c.isspace() else c for c in text[: 4 * limit])
    line = "".join(c for c in line if unicodedata.category(c)[0] != "C")
    return " ".join(line.split())[:limit]


def read_json(response: HttpResponse, source: str) -> Any:
    """Parse the body as JSON.

    Raises:
        RetryableError: the body is not complete JSON; gateways send such bodies under load.
        Unsound: the JSON is nested too deeply.
    """
    try:
        return json.loads(response.body, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unsound(f"{source} sent JSON that is nested too deeply") from None
    except ValueError:
        raise RetryableError(f"{source} sent a response that is not complete JSON") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def check_status(response: HttpResponse, source: str) -> HttpResponse:
    """Return the response if its status is 200.

    Raises:
        RepositoryNotFound: status 404 or 410.
        RetryableError: status 429 or 5xx (``QueryTooHeavy`` for 502 and 504).
        Refused: any other status.
    """
    problem = f"{source} answered with status {response.status}"
    if response.status == 200:
        return response
    if response.status in {404, 410}:
        raise RepositoryNotFound(f"{source} does not know it (status {response.status})")
    if response.status == 429:
        raise RetryableError(problem, read_retry_after(response), is_throttled=True)
    if response.status in {502, 504}:
        raise QueryTooHeavy(problem)
    if response.status >= 500:
        raise RetryableError(problem, read_retry_after(response))
    raise Refused(problem)


def read_retry_after(response: HttpResponse) -> float | None:
    """Return the seconds in ``Retry-After``; None if it is absent or a date (GitHub sends seconds)."""
    text = response.headers.get("retry-after", "")
    return float(text) if re.fullmatch(r"\d{1,7}", text) else None


def read_next_link(response: HttpResponse) -> str | None:
    """Return the URL of the next page from the ``Link`` header (RFC 8288)."""
    for part in response.headers.get("link", "").split(","):
        if match := re.fullmatch(r'\s*<([^<>]+)>\s*;.*\brel="?next"?.*', part):
            return match[1]
    return None
