"""The one place that speaks HTTP: serial per host, bounded in size and time, patient and polite.

Every request goes through `Transport.send`, which takes a reader of the answer: what the reader calls
`TryAgain` is asked again, after the wait that the source asks for if it is one that the user allows.
A token is added for the origin that it belongs to and for no other, also after a redirect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar
from urllib.parse import urljoin

import httpx
import stamina

from advisor.collect.http.messages import Answer, Request, TooHeavy, TryAgain, origin, retry_after
from advisor.errors import InputError, Refused, Unreachable, Unsound, WaitTooLong

if TYPE_CHECKING:
    from advisor.collect.http.auth import Credential
    from advisor.collect.http.token_pool import TokenPool
    from advisor.collect.http.turns import Turns

T = TypeVar("T")

TRIES = 8
LOST = 2  # requests in a row without a sound answer, after which a host is given up for this run
SIZE_LIMIT = 32 * 2**20
"""Bytes of one answer after unpacking."""
REDIRECTS = 5
FIRST_THROTTLE_SECONDS = 60.0
"""GitHub: without ``Retry-After`` wait at least a minute, then exponentially longer."""


@dataclass(frozen=True)
class Patience:
    """How long the transport waits, in seconds.

    Attributes:
        silence: between two parts of an answer.
        answer: for one whole answer.
        limits: for all rate limits of a host together (``--max-wait``).
        backoff: before the second try where the source names no time; grows to 16 times that.
    """

    silence: float = 20.0
    answer: float = 60.0
    limits: float = 900.0
    backoff: float = 1.0


class Cache(Protocol):
    """Keeps answers by URL for conditional requests; never a credential."""

    def find(self, url: str) -> tuple[str, bytes, dict[str, str]] | None:
        """ETag, body and headers of the last answer."""

    def keep_answer(self, url: str, etag: str, answer: Answer) -> None:
        """Keep an answer in place of the one before."""


class Recorder(Protocol):
    """Takes down each exchange."""

    def take(self, request: Request, answer: Answer) -> None:
        """Take down one exchange, without credentials."""


@dataclass
class Traffic:
    """What a run has cost so far."""

    requests: int = 0
    not_modified: int = 0
    waited_seconds: float = 0.0


Tell = Callable[[str, Mapping[str, object]], None]
"""Told of waits and retries: what happened, and its numbers."""


class Transport:
    """An HTTP client for a fixed set of hosts. Use it as an asynchronous context manager."""

    def __init__(
        self,
        allowed: Mapping[str, Credential | None],
        *,
        patience: Patience | None = None,
        cache: Cache | None = None,
        tell: Tell = lambda _what, _numbers: None,
        wire: httpx.AsyncBaseTransport | None = None,
        turns: Turns | None = None,
        pool: TokenPool | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            allowed: origin (``https://host:port``) → credential for it; other hosts are refused.
            patience: bounds on waiting.
            cache: for conditional requests.
            tell: is told of waits and retries.
            wire: what stands in for the network (a replay, a server in the same process).
            turns: with other processes; None: there are none.
            pool: tokens to take in place of the credential of a host that has one.
        """
        self._turns, self.pool = turns, pool
        self._allowed = dict(allowed)
        self._patience = patience or Patience()
        self._cache, self._tell = cache, tell
        self.recorder: Recorder | None = None
        self._lanes = {host: asyncio.Lock() for host in allowed}
        self._waited = dict.fromkeys(allowed, 0.0)
        self._closed: dict[str, str] = {}
        self._lost = dict.fromkeys(allowed, 0)
        self.traffic = Traffic()
        self.secrets: set[str] = set()
        """Every token that was sent, to be struck out of whatever is written."""
        silence = self._patience.silence
        self._http = httpx.AsyncClient(
            transport=wire,
            timeout=httpx.Timeout(silence, pool=None),
            follow_redirects=False,
            trust_env=wire is None,
            headers={"user-agent": "advisor (+https://pypi.org/project/advisor)", "accept-encoding": "gzip"},
            # .netrc is read by auth.py for the one host that we have a use for.
            auth=_no_auth,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, request: Request, read: Callable[[Answer], T], *, may_shrink: bool = False) -> T:
        """Ask until the reader is content.

        Args:
            request: what to ask.
            read: makes something of the answer or raises `TryAgain`.
            may_shrink: whether the caller will ask for less if the source finds it `TooHeavy`;
                otherwise it is asked again as it is.

        Raises:
            TooHeavy: the source gave up, and ``may_shrink``.
            WaitTooLong: the source asks to wait longer than the user would.
            Unreachable: no sound answer after all tries.
            CollectError: whatever else the reader raises.
        """
        host = origin(request.url)
        if host not in self._allowed:
            raise Refused(f"{host} is not one of the hosts that advisor speaks to")
        async with self._lanes[host]:
            if host in self._closed:
                raise WaitTooLong(self._closed[host])
            if self._lost[host] >= LOST:
                raise Unreachable(f"{host} did not answer before and is not asked again in this run")
            decide = _Decision(self, host, may_shrink=may_shrink)
            try:
                async for attempt in stamina.retry_context(
                    on=decide,
                    attempts=TRIES,
                    timeout=None,
                    wait_initial=self._patience.backoff,
                    wait_max=16 * self._patience.backoff,
                    wait_jitter=self._patience.backoff,
                ):
                    with attempt:
                        answer, url = await self._exchange(request)
                        found = read(answer)
                        self._lost[host] = 0
                        # Kept only once the reader is content: a broken answer must not come back as 304.
                        if self._cache and request.method == "GET" and not answer.is_cached:
                            self._cache.keep_answer(url, answer.headers.get("etag", ""), answer)
                        return found
            except TryAgain as error:
                if host in self._closed:
                    raise WaitTooLong(self._closed[host]) from None
                if isinstance(error, TooHeavy) and may_shrink:
                    raise
                self._lost[host] += 1
                raise Unreachable(f"no sound answer after {TRIES} tries: {error}") from None
        raise AssertionError("stamina gives back or raises")

    def may_wait(self, host: str, seconds: float, reason: str) -> bool:
        """Count a wait against the user's bound; past it the host is closed for this run."""
        if self._waited[host] + seconds > self._patience.limits:
            self._closed[host] = (
                f"{reason}; that would be a wait of {seconds:.0f} s, --max-wait allows "
                f"{self._patience.limits - self._waited[host]:.0f} s more. What was collected is kept: "
                "run the same command later"
            )
            return False
        self._waited[host] += seconds
        self.traffic.waited_seconds += seconds
        self._tell("wait", {"host": host, "seconds": round(seconds, 1), "reason": reason})
        return True

    def retrying(self, host: str, reason: str) -> None:
        """Tell of a try that failed."""
        self._tell("retry", {"host": host, "reason": reason})

    async def _exchange(self, request: Request) -> tuple[Answer, str]:
        """One answer and where it came from: redirects followed, 304 filled in from the cache."""
        url = request.url
        for _ in range(REDIRECTS + 1):
            kept = self._cache.find(url) if self._cache and request.method == "GET" else None
            answer = await self._once(request, url, kept[0] if kept else None)
            if self.recorder:
                self.recorder.take(Request(request.method, url, request.headers, request.body), answer)
            if answer.status == 304 and kept:
                self.traffic.not_modified += 1
                return Answer(200, {**kept[2], **answer.headers}, kept[1], is_cached=True), url
            location = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or location is None:
                return answer, url
            if request.method != "GET":
                raise Refused("a source redirects a query; check the address of the API")
            url = urljoin(url, location)
            try:
                known = origin(url) in self._allowed
            except InputError:
                known = False
            if not known:
                raise Refused("a source redirects to a host that advisor does not speak to")
        raise Refused(f"a source redirects more than {REDIRECTS} times")

    async def _once(self, request: Request, url: str, etag: str | None) -> Answer:
        headers = dict(request.headers)
        host = origin(url)
        credential = self._allowed[host]
        lane, number = host, None
        if credential is not None:
            if self.pool:
                number = self.pool.pick(host)
                lane = self.pool.lane(host, number)
            token = credential.token() if number is None or not self.pool else self.pool.token(number)
            self.secrets.add(token.get_secret_value())
            headers["authorization"] = f"Bearer {token.get_secret_value()}"
        if etag:
            headers["if-none-match"] = etag
        if self._turns is None:
            return await self._answer(request, url, headers)
        left = self._turns.seconds_left(lane)
        if left > 0:
            if not self.may_wait(host, left, f"{host} told another worker to wait"):
                raise WaitTooLong(self._closed[host])
            await asyncio.sleep(left)
        async with self._turns.at(lane):
            answer = await self._answer(request, url, headers)
        if self.pool and number is not None:
            self.pool.heard(host, number, answer.status, answer.headers)
        elif answer.status == 429 and (after := retry_after(answer)):
            self._turns.wait_for(lane, after)
        return answer

    async def _answer(self, request: Request, url: str, headers: Mapping[str, str]) -> Answer:
        self.traffic.requests += 1
        try:
            async with (
                asyncio.timeout(self._patience.answer),
                self._http.stream(request.method, url, headers=headers, content=request.body) as got,
            ):
                body = bytearray()
                async for chunk in got.aiter_bytes():
                    body += chunk
                    if len(body) > SIZE_LIMIT:
                        raise Unsound(
                            f"{origin(url)} sends more than {SIZE_LIMIT // 2**20} MiB in one answer"
                        )
                return self._without_secrets(got.status_code, got.headers, bytes(body))
        except (TimeoutError, httpx.TimeoutException):
            raise TryAgain(f"{origin(url)} does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            # The text of an error may quote what was sent; its type says enough.
            raise TryAgain(f"{origin(url)} cannot be reached ({type(error).__name__})") from None

    def _without_secrets(self, status: int, headers: httpx.Headers, body: bytes) -> Answer:
        """A host may echo what it was sent: nothing that comes in holds a token."""
        known = {k.lower(): v for k, v in headers.items()}
        for secret in self.secrets:
            body = body.replace(secret.encode(), b"***")
            known = {k: v.replace(secret, "***") for k, v in known.items()}
        return Answer(status, known, body)


class _Decision:
    """Whether a failed try is followed by another, and when; one a request, as it counts throttles."""

    def __init__(self, transport: Transport, host: str, *, may_shrink: bool) -> None:
        self._transport, self._host, self._may_shrink = transport, host, may_shrink
        self._throttles = 0

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, TryAgain) or (isinstance(error, TooHeavy) and self._may_shrink):
            return False
        after = error.after
        if after is None and error.is_throttled:
            after = FIRST_THROTTLE_SECONDS * 2**self._throttles
        self._throttles += error.is_throttled
        if after is not None and self._transport.pool and self._transport.pool.is_free(self._host):
            self._transport.retrying(self._host, f"{error}; another token is free")
            return 0.001
        if after is None:
            self._transport.retrying(self._host, str(error))
            return True
        return after if self._transport.may_wait(self._host, after, str(error)) else False


def _no_auth(request: httpx.Request) -> httpx.Request:
    return request
