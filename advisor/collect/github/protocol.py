"""GitHub's protocol without I/O: where it is, requests, rate limits, errors.

What GitHub says of its limits (docs.github.com, "Rate limits for the REST API", "Rate limits and
query limits for the GraphQL API"): past the primary limit GraphQL answers with status 200, an error
of type RATE_LIMITED and ``x-ratelimit-remaining: 0``, REST with 403 or 429; the secondary limit comes
as 200 with errors, as 403 or as 429. Then ``Retry-After`` counts, else ``x-ratelimit-reset`` if
nothing remains, else a minute, growing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from advisor.collect.github.queries import Document
from advisor.collect.http.messages import (
    Answer,
    Request,
    TooHeavy,
    TryAgain,
    check_status,
    clean,
    json_of,
    origin,
    retry_after,
    segment,
)
from advisor.errors import CollectError, InputError, Refused, RepositoryNotFound, Unsound

REST_VERSION = "2026-03-10"
_TOO_HEAVY = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED", "TIMEOUT"})
_SLACK = 1.0  # seconds past the reset of a limit: clocks differ


@dataclass(frozen=True)
class Endpoints:
    """Where a GitHub is: the roots of REST, GraphQL and of what a person sees."""

    rest: str
    graphql: str
    web: str


@dataclass(frozen=True)
class Limit:
    """What an answer says of the primary limit: points left, of how many, and when they come back."""

    limit: int
    remaining: int
    resets_at: datetime


@dataclass(frozen=True)
class Data:
    """The data of a GraphQL answer: what it cost, and what GitHub says against parts of it."""

    data: Mapping[str, Any]
    cost: int
    errors: Mapping[str, str]
    """Alias (or name of the top field) → type and message, cleaned."""


def endpoints(environment: Mapping[str, str], url: str | None = None) -> Endpoints:
    """Where GitHub is: ``url`` if given, else as GitHub Actions say it, else github.com.

    Raises:
        InputError: one of them is no https URL.
    """
    if url is None and "GITHUB_API_URL" in environment:
        rest = environment["GITHUB_API_URL"].rstrip("/")
        graphql = environment.get("GITHUB_GRAPHQL_URL", "").rstrip("/")
        graphql = graphql or re.sub(r"/v3$", "", rest) + "/graphql"
        web = environment.get("GITHUB_SERVER_URL", "").rstrip("/") or _web(rest)
        found = Endpoints(rest, graphql, web)
    else:
        web = re.sub(r"/api/v3$", "", (url or "https://github.com").rstrip("/"))
        host = urlsplit(web).hostname
        if host in {"github.com", "api.github.com", "www.github.com"}:
            found = Endpoints(
                "https://api.github.com", "https://api.github.com/graphql", "https://github.com"
            )
        else:
            found = Endpoints(f"{web}/api/v3", f"{web}/api/graphql", web)
    for part in (found.rest, found.graphql, found.web):
        origin(part)
    return found


def _web(rest: str) -> str:
    return (
        "https://github.com" if urlsplit(rest).hostname == "api.github.com" else re.sub(r"/api/v3$", "", rest)
    )


def graphql_request(at: Endpoints, document: Document) -> Request:
    """A GraphQL query as a request."""
    body = json.dumps({"query": document.query, "variables": document.variables}, separators=(",", ":"))
    headers = {"accept": "application/json", "content-type": "application/json"}
    return Request("POST", at.graphql, headers, body.encode())


def rest_request(at: Endpoints, *path: str, **query: str | int) -> Request:
    """A REST GET; every segment of the path is quoted."""
    url = at.rest + "".join(f"/{segment(p)}" for p in path)
    if query:
        url += "?" + "&".join(f"{k}={segment(str(v))}" for k, v in query.items())
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": REST_VERSION}
    return Request("GET", url, headers)


def limit_of(answer: Answer) -> Limit | None:
    """The primary limit from the headers; None where they say nothing (whole) of it."""
    found = [answer.headers.get(f"x-ratelimit-{k}", "") for k in ("limit", "remaining", "reset")]
    if not all(re.fullmatch(r"\d{1,11}", text) for text in found):
        return None
    limit, remaining, reset = map(int, found)
    return Limit(limit, remaining, datetime.fromtimestamp(reset, UTC))


def check_limits(answer: Answer, now: datetime) -> Answer:
    """Pass an answer on that no limit has held back.

    Raises:
        TryAgain: a primary or secondary limit; ``after`` as GitHub asks, None: a minute, growing.
        Refused, RepositoryNotFound: GitHub says no for another reason.
    """
    if answer.status in {403, 429}:
        said = _message(answer)
        limit = limit_of(answer)
        is_limit = "rate limit" in said.lower() or "abuse" in said.lower() or answer.status == 429
        if is_limit or "retry-after" in answer.headers or (limit and limit.remaining == 0):
            raise _limited(answer, now, said or "GitHub limits us")
        raise Refused(f"GitHub refuses: {said or 'status 403'}")
    if answer.status == 401:
        raise Refused(
            "GitHub refuses the token (401); check GH_TOKEN, GITHUB_TOKEN, .netrc or `gh auth status`"
        )
    if answer.status == 451:
        raise Refused("GitHub blocks the repository for legal reasons (451)")
    return check_status(answer, "GitHub")


def _limited(answer: Answer, now: datetime, said: str) -> TryAgain:
    after = retry_after(answer)
    limit = limit_of(answer)
    if after is None and limit is not None and limit.remaining == 0:
        after = max(0.0, (limit.resets_at - now).total_seconds()) + _SLACK
    return TryAgain(f"GitHub: {said}", after, is_throttled=True)


def _message(answer: Answer) -> str:
    try:
        said = json_of(answer, "GitHub")
    except (TryAgain, Unsound):
        return ""
    return clean(str(said.get("message", ""))) if isinstance(said, dict) else ""


def read_graphql(answer: Answer, now: datetime) -> Data:
    """The data of a GraphQL answer, with the errors of single aliases beside them.

    Raises:
        TryAgain: a limit, or an answer that is not whole.
        TooHeavy: GitHub gave up on the query.
        Refused: GitHub refuses the whole query.
        Unsound: the answer has not the shape of a GraphQL answer.
    """
    check_limits(answer, now)
    body = json_of(answer, "GitHub")
    if not isinstance(body, dict):
        raise Unsound("GitHub's answer is no GraphQL answer")
    errors = _errors(body, answer, now)
    data = body.get("data")
    if not isinstance(data, dict):
        said = "; ".join(errors.values())
        raise Refused(f"GitHub refuses the query: {said}") if said else Unsound("GitHub's answer has no data")
    rate = data.get("rateLimit")
    cost = rate.get("cost") if isinstance(rate, dict) else None
    cost = cost if isinstance(cost, int) and 0 <= cost <= 10_000 else 1
    return Data(data, cost, errors)


def _errors(body: dict[str, Any], answer: Answer, now: datetime) -> dict[str, str]:
    listed = body.get("errors") or []
    if not isinstance(listed, list):
        raise Unsound("GitHub's answer is no GraphQL answer: its errors are no list")
    found: dict[str, str] = {}
    for error in listed:
        if not isinstance(error, dict):
            raise Unsound("GitHub's answer is no GraphQL answer: an error is no object")
        kind, said = clean(str(error.get("type", ""))), clean(str(error.get("message", "")))
        if kind == "RATE_LIMITED" or "rate limit" in said.lower():
            raise _limited(answer, now, said)
        if kind in _TOO_HEAVY or "couldn't respond to your request in time" in said:
            raise TooHeavy(f"GitHub: {said or kind}")
        path = error.get("path")
        found.setdefault(_place(path), f"{kind}: {said}" if kind else said)
    return found


def _place(path: object) -> str:
    if not isinstance(path, list) or not path:
        return ""
    return ".".join(str(p) for p in path[: 2 if path[0] == "repository" else 1])


class StaleCursor(CollectError):
    """GitHub no longer knows a cursor that was kept."""


def whole(data: Data) -> Data:
    """Pass an answer on that nothing is said against.

    Raises:
        StaleCursor: a cursor is refused.
        TryAgain: a part of it failed.
    """
    for place, said in data.errors.items():
        if said.startswith("INVALID_CURSOR"):
            raise StaleCursor(f"GitHub: {said}")
        if place != "repository":
            raise TryAgain(f"GitHub: {said}")
    return data


def of_repository(data: Data, alias: str) -> dict[str, Any]:
    """What an answer says of one repository.

    Raises:
        RepositoryNotFound: GitHub knows none of that name (or we may not see it).
        TryAgain: a part of it failed without a word of why.
        Refused: GitHub refuses this one.
    """
    found = data.data.get(alias)
    said = data.errors.get(alias)
    if isinstance(found, dict) and said is None:
        return found
    if said is None:
        raise TryAgain("GitHub answered with nothing for the repository")
    if said.startswith("NOT_FOUND"):
        raise RepositoryNotFound("GitHub knows no such repository, or we may not see it")
    if said.partition(":")[0] in {
        "FORBIDDEN",
        "REPOSITORY_ACCESS_BLOCKED",
        "INSUFFICIENT_SCOPES",
        "SAML_FAILURE",
    }:
        raise Refused(f"GitHub refuses: {said}")
    raise TryAgain(f"GitHub: {said}")


def check_cursor(before: str | None, after: object, *, has_next: bool) -> str | None:
    """The cursor of the next page; None at the end.

    Raises:
        TryAgain: there shall be a next page, and the cursor has not moved.
    """
    if not has_next:
        return None
    if not isinstance(after, str) or not 0 < len(after) <= 1000 or after == before:
        raise TryAgain("GitHub's cursor does not advance")
    return after


def check_input_url(url: str) -> str:
    """``--github-url`` as given, if it can be used.

    Raises:
        InputError: it cannot.
    """
    if urlsplit(url).query or urlsplit(url).fragment:
        raise InputError("--github-url must be the root of a GitHub, without query or fragment")
    origin(url)
    return url
