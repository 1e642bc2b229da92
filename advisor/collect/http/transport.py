"""The HTTP client of the collectors: serial per host, with limits on size and time, and with retries.

Every request goes through `Transport.send`, which passes the response to a reader. If the reader raises
`RetryableError`, the transport waits as long as the source asks and sends the request again, unless the
wait exceeds the user's limit. It adds a token only for the token's own origin, also after a redirect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar
from urllib.parse import urljoin

import httpx
import stamina

from advisor.collect.http.messages import (
    HttpRequest,
    HttpResponse,
    QueryTooHeavy,
    RetryableError,
    parse_origin,
    read_retry_after,
)
from advisor.errors import InputError, Refused, Unreachable, Unsound, WaitTooLong

if TYPE_CHECKING:
    from advisor.collect.http.auth import Credential
    from advisor.collect.http.host_lock import HostLocks
    from advisor.collect.http.token_pool import TokenPool

T = TypeVar("T")

TRIES = 8
MAX_FAILURES = 2  # requests in a row without a valid response, after which this run stops using a host
SIZE_LIMIT = 32 * 2**20
"""Largest response after decompression, in bytes."""
REDIRECTS = 5
FIRST_THROTTLE_SECONDS = 60.0
"""GitHub: without ``Retry-After`` wait at least a minute, then exponentially longer."""


@dataclass(frozen=True)
class Patience:
    """How long the transport waits, in seconds.

    Attributes:
        silence: between two chunks of a response.
        response: for one complete response.
        limits: for all rate limits of a host together (``--max-wait``).
        backoff: before the second try if the source names no time; grows to 16 times that.
    """

    silence: float = 20.0
    response: float = 60.0
    limits: float = 900.0
    backoff: float = 1.0


class Cache(Protocol):
    """Stores responses by URL for conditional requests; never a credential."""

    def find_response(self, url: str) -> tuple[str, bytes, dict[str, str]] | None:
        """Return ETag, body and headers of the last response."""

    def save_response(self, url: str, etag: str, response: HttpResponse) -> None:
        """Store a response in place of the previous one."""


class Recorder(Protocol):
    """Records each exchange."""

    def write(self, request: HttpRequest, response: HttpResponse) -> None:
        """Record one exchange, without credentials."""


@dataclass
class Traffic:
    """Counts of a run so far; ``cache_hits`` counts responses with status 304."""

    requests: int = 0
    cache_hits: int = 0
    waited_seconds: float = 0.0


EventHandler = Callable[[str, Mapping[str, object]], None]
"""Receives each wait and retry: the kind of event, and its values."""


class Transport:
    """An HTTP client for a fixed set of hosts. Use it as an asynchronous context manager."""

    def __init__(
        self,
        credentials: Mapping[str, Credential | None],
        *,
        patience: Patience | None = None,
        cache: Cache | None = None,
        on_event: EventHandler = lambda _kind, _values: None,
        wire: httpx.AsyncBaseTransport | None = None,
        locks: HostLocks | None = None,
        pool: TokenPool | None = None,
    ) -> None:
        """Open no connection yet.

        Args:
            credentials: origin (``https://host:port``) → its credential; other hosts are refused.
            patience: limits on waiting.
            cache: for conditional requests.
            on_event: receives waits and retries.
            wire: replaces the network (a replay, a server in the same process).
            locks: shares rate limits with other processes; None: there are no others.
            pool: tokens to use instead of the credential of a host.
        """
        self._locks, self.pool = locks, pool
        self._credentials = dict(credentials)
        self._patience = patience or Patience()
        self._cache, self._on_event = cache, on_event
        self.recorder: Recorder | None = None
        self._lanes = {host: asyncio.Lock() for host in credentials}
        self._waits = dict.fromkeys(credentials, 0.0)
        self._closure_reasons: dict[str, str] = {}
        self._failures = dict.fromkeys(credentials, 0)
        self.traffic = Traffic()
        self.secrets: set[str] = set()
        """Every token that was sent; recordings mask them."""
        silence = self._patience.silence
        self._http = httpx.AsyncClient(
            transport=wire,
            timeout=httpx.Timeout(silence, pool=None),
            follow_redirects=False,
            trust_env=wire is None,
            headers={"user-agent": "library-advisor", "accept-encoding": "gzip"},
            # auth.py reads .netrc, and only for GitHub.
            auth=_no_auth,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(
        self, request: HttpRequest, read: Callable[[HttpResponse], T], *, may_shrink: bool = False
    ) -> T:
        """Send a request until the reader accepts the response.

        Args:
            request: the request.
            read: returns the result for a response or raises `RetryableError`.
            may_shrink: whether the caller sends a smaller query after `QueryTooHeavy`;
                otherwise the same request is sent again.

        Raises:
            QueryTooHeavy: the source gave up on the query, and ``may_shrink`` is true.
            WaitTooLong: the source asks for a longer wait than the user allows.
            Unreachable: no valid response after all retries.
            CollectError: any other error that the reader raises.
        """
        host = parse_origin(request.url)
        if host not in self._credentials:
            raise Refused(f"{host} is not a host that this command may send requests to")
        async with self._lanes[host]:
            if host in self._closure_reasons:
                raise WaitTooLong(self._closure_reasons[host])
            if self._failures[host] >= MAX_FAILURES:
                raise Unreachable(f"{host} gave no valid response before; this run sends it no more requests")
            policy = _RetryPolicy(self, host, may_shrink=may_shrink)
            try:
                async for attempt in stamina.retry_context(
                    on=policy,
                    attempts=TRIES,
                    timeout=None,
                    wait_initial=self._patience.backoff,
                    wait_max=16 * self._patience.backoff,
                    wait_jitter=self._patience.backoff,
                ):
                    with attempt:
                        response, url = await self._exchange(request)
                        result = read(response)
                        self._failures[host] = 0
                        # Only after the reader accepts it: a broken response must not return as a 304.
                        if self._cache and request.method == "GET" and not response.is_cached:
                            self._cache.save_response(url, response.headers.get("etag", ""), response)
                        return result
            except RetryableError as error:
                if host in self._closure_reasons:
                    raise WaitTooLong(self._closure_reasons[host]) from None
                if isinstance(error, QueryTooHeavy) and may_shrink:
                    raise
                self._failures[host] += 1
                raise Unreachable(f"no valid response after {TRIES} tries: {error}") from None
        raise AssertionError("stamina returns or raises")

    def may_wait(self, host: str, seconds: float, reason: str) -> bool:
        """Count a wait against the user's limit; if it exceeds the limit, close the host for this run."""
        if self._waits[host] + seconds > self._patience.limits:
            self._closure_reasons[host] = (
                f"{reason}; that means a wait of {seconds:.0f} s, and --max-wait allows "
                f"{self._patience.limits - self._waits[host]:.0f} s more. The collected facts are saved: "
                "run the same command later"
            )
            return False
        self._waits[host] += seconds
        self.traffic.waited_seconds += seconds
        self._on_event("wait", {"host": host, "seconds": round(seconds, 1), "reason": reason})
        return True

    def report_retry(self, host: str, reason: str) -> None:
        """Report a failed try."""
        self._on_event("retry", {"host": host, "reason": reason})

    async def _exchange(self, request: HttpRequest) -> tuple[HttpResponse, str]:
        """Return the response and its URL: follow redirects, and fill in a 304 from the cache."""
        url = request.url
        for _ in range(REDIRECTS + 1):
            entry = self._cache.find_response(url) if self._cache and request.method == "GET" else None
            response = await self._send_once(request, url, entry[0] if entry else None)
            if self.recorder:
                self.recorder.write(HttpRequest(request.method, url, request.headers, request.body), response)
            if response.status == 304 and entry:
                self.traffic.cache_hits += 1
                return HttpResponse(200, {**entry[2], **response.headers}, entry[1], is_cached=True), url
            location = response.headers.get("location")
            if response.status not in {301, 302, 303, 307, 308} or location is None:
                return response, url
            if request.method != "GET":
                raise Refused("the source redirects a query; check the address of the API")
            url = urljoin(url, location)
            try:
                is_allowed = parse_origin(url) in self._credentials
            except InputError:
                is_allowed = False
            if not is_allowed:
                raise Refused("the source redirects to a host that this command may not send requests to")
        raise Refused(f"the source redirects more than {REDIRECTS} times")

    async def _send_once(self, request: HttpRequest, url: str, etag: str | None) -> HttpResponse:
        headers = dict(request.headers)
        host = parse_origin(url)
        credential = self._credentials[host]
        lane, number = host, None
        if credential is not None:
            if self.pool:
                number = self.pool.pick_token(host)
                lane = self.pool.name_lane(host, number)
            token = credential.get_token() if number is None or not self.pool else self.pool.get_token(number)
            self.secrets.add(token.get_secret_value())
            headers["authorization"] = f"Bearer {token.get_secret_value()}"
        if etag:
            headers["if-none-match"] = etag
        if self._locks is None:
            return await self._read_response(request, url, headers)
        wait = self._locks.remaining_wait(lane)
        if wait > 0:
            if not self.may_wait(host, wait, f"{host} asked another worker to wait"):
                raise WaitTooLong(self._closure_reasons[host])
            await asyncio.sleep(wait)
        async with self._locks.lock(lane):
            response = await self._read_response(request, url, headers)
        if self.pool and number is not None:
            self.pool.record_limit(host, number, response.status, response.headers)
        elif response.status == 429 and (after := read_retry_after(response)):
            self._locks.block_lane(lane, after)
        return response

    async def _read_response(
        self, request: HttpRequest, url: str, headers: Mapping[str, str]
    ) -> HttpResponse:
        self.traffic.requests += 1
        try:
            async with (
                asyncio.timeout(self._patience.response),
                self._http.stream(request.method, url, headers=headers, content=request.body) as stream,
            ):
                body = bytearray()
                async for chunk in stream.aiter_bytes():
                    body += chunk
                    if len(body) > SIZE_LIMIT:
                        raise Unsound(
                            f"{parse_origin(url)} sends more than {SIZE_LIMIT // 2**20} MiB in one response"
                        )
                return self._mask_secrets(stream.status_code, stream.headers, bytes(body))
        except (TimeoutError, httpx.TimeoutException):
            raise RetryableError(f"{parse_origin(url)} does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            # The text of the error may quote the request, so only its type is shown.
            raise RetryableError(f"{parse_origin(url)} cannot be reached ({type(error).__name__})") from None

    def _mask_secrets(self, status: int, headers: httpx.Headers, body: bytes) -> HttpResponse:
        """Mask tokens in a response: a host may echo the request."""
        clean_headers = {k.lower(): v for k, v in headers.items()}
        for secret in self.secrets:
            body = body.replace(secret.encode(), b"***")
            clean_headers = {k: v.replace(secret, "***") for k, v in clean_headers.items()}
        return HttpResponse(status, clean_headers, body)


class _RetryPolicy:
    """Decides whether and when to retry; one instance per request, as it counts throttled tries."""

    def __init__(self, transport: Transport, host: str, *, may_shrink: bool) -> None:
        self._transport, self._host, self._may_shrink = transport, host, may_shrink
        self._throttles = 0

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, RetryableError) or (isinstance(error, QueryTooHeavy) and self._may_shrink):
            return False
        after = error.after
        if after is None and error.is_throttled:
            after = FIRST_THROTTLE_SECONDS * 2**self._throttles
        self._throttles += error.is_throttled
        if after is not None and self._transport.pool and self._transport.pool.has_free_token(self._host):
            self._transport.report_retry(self._host, f"{error}; another token is free")
            return 0.001
        if after is None:
            self._transport.report_retry(self._host, str(error))
            return True
        return after if self._transport.may_wait(self._host, after, str(error)) else False


def _no_auth(request: httpx.Request) -> httpx.Request:
    return request
