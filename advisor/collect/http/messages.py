"""What goes out to a source and what comes back, without any I/O; bounds on both."""

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
"""Characters that are kept of a text that a stranger wrote."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Request:
    """A request without credentials; the transport adds those of the host, if there are any."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case, ``is_cached`` after a 304."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cached: bool = False


class TryAgain(CollectError):
    """The answer may be sound the next time.

    Attributes:
        after: seconds that the source asks to wait; None: a moment.
        is_throttled: whether the source limits us, so that waits grow from a minute on.
    """

    def __init__(self, reason: str, after: float | None = None, *, is_throttled: bool = False) -> None:
        super().__init__(reason)
        self.after, self.is_throttled = after, is_throttled


class TooHeavy(TryAgain):
    """The source gave up on the request: a smaller one may pass."""


def origin(url: str) -> str:
    """``scheme://host:port`` in lower case.

    Raises:
        InputError: it is not https (or http to this machine), names no host, or carries a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(f"{clean(url)!r} is not a URL") from None
    host = (parts.hostname or "").lower()
    if clean(url, 2000) != url or not host or "@" in parts.netloc or not re.fullmatch(r"[a-z0-9.:-]+", host):
        raise InputError("a URL must name a host, and no user or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise InputError(f"{host}: only https is spoken (http to this machine alone)")
    port = port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def segment(text: str) -> str:
    """One segment of a URL's path, quoted."""
    return quote(text, safe="")


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """A stranger's text on one line: without control, format and private characters, cut to ``limit``."""
    kept = "".join(" " if c.isspace() else c for c in text[: 4 * limit])
    kept = "".join(c for c in kept if unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:limit]


def json_of(answer: Answer, source: str) -> Any:
    """The body as JSON.

    Raises:
        TryAgain: it is cut off or no JSON at all, as gateways answer under load.
        Unsound: it is nested beyond reason.
    """
    try:
        return json.loads(answer.body, parse_constant=_no_constant)
    except RecursionError:
        raise Unsound(f"{source} answered with JSON that is nested too deeply") from None
    except ValueError:
        raise TryAgain(f"{source} answered with something that is not whole JSON") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def check_status(answer: Answer, source: str) -> Answer:
    """Pass an answer with status 200 on.

    Raises:
        RepositoryNotFound: 404, 410: the source knows nothing of it.
        TryAgain: 429, 5xx (``TooHeavy`` for 502 and 504).
        Refused: any other status.
    """
    said = f"{source} answered with status {answer.status}"
    if answer.status == 200:  # statuses are known by their number
        return answer
    if answer.status in {404, 410}:
        raise RepositoryNotFound(f"{source} knows nothing of it (status {answer.status})")
    if answer.status == 429:
        raise TryAgain(said, retry_after(answer), is_throttled=True)
    if answer.status in {502, 504}:
        raise TooHeavy(said)
    if answer.status >= 500:
        raise TryAgain(said, retry_after(answer))
    raise Refused(said)


def retry_after(answer: Answer) -> float | None:
    """Seconds in ``Retry-After``; None where there is none, or a date (GitHub sends seconds)."""
    text = answer.headers.get("retry-after", "")
    return float(text) if re.fullmatch(r"\d{1,7}", text) else None


def next_link(answer: Answer) -> str | None:
    """The URL of the next page from the ``Link`` header (RFC 8288)."""
    for part in answer.headers.get("link", "").split(","):
        if found := re.fullmatch(r'\s*<([^<>]+)>\s*;.*\brel="?next"?.*', part):
            return found[1]
    return None
