"""GitHub's protocol without I/O: endpoints, requests, rate limits, errors.

Rate limits (docs.github.com, "Rate limits for the REST API", "Rate limits and query limits for the
GraphQL API"):

- Primary limit: GraphQL sends status 200 with an error of type RATE_LIMITED and
  ``x-ratelimit-remaining: 0``. REST sends 403 or 429.
- Secondary limit: status 200 with errors, 403 or 429.
- A fault of GitHub itself: status 200, ``data: null`` and an error that names neither a type nor a place in
  the query ("Something went wrong while executing your query"). A later or smaller query can succeed.
- Time to wait: ``Retry-After``; else until ``x-ratelimit-reset`` if nothing remains; else a minute,
  then longer.
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
    HttpRequest,
    HttpResponse,
    QueryTooHeavy,
    RetryableError,
    check_status,
    clean_text,
    parse_origin,
    quote_segment,
    read_json,
    read_retry_after,
)
from advisor.errors import CollectError, InputError, Refused, RepositoryNotFound, Unsound

REST_VERSION = "2026-03-10"
_TOO_HEAVY = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED", "TIMEOUT"})
_SLACK = 1.0  # seconds past the reset of a limit: clocks differ


@dataclass(frozen=True)
class Endpoints:
    """Base URLs of a GitHub: REST API, GraphQL API and website."""

    rest: str
    graphql: str
    web: str


@dataclass(frozen=True)
class RateLimit:
    """The primary rate limit: points per hour, remaining points, and when they reset."""

    limit: int
    remaining: int
    resets_at: datetime


@dataclass(frozen=True)
class GraphQLData:
    """The data of a GraphQL response, its cost in points, and the errors of its parts."""

    data: Mapping[str, Any]
    cost: int
    errors: Mapping[str, str]
    """Alias (or name of the top field) → type and message, as clean text."""


def find_endpoints(environment: Mapping[str, str], url: str | None = None) -> Endpoints:
    """Return the endpoints: of ``url``, else of the variables of GitHub Actions, else of github.com.

    Raises:
        InputError: one of them is not an https URL.
    """
    if url is None and "GITHUB_API_URL" in environment:
        rest = environment["GITHUB_API_URL"].rstrip("/")
        graphql = environment.get("GITHUB_GRAPHQL_URL", "").rstrip("/")
        graphql = graphql or re.sub(r"/v3$", "", rest) + "/graphql"
        web = environment.get("GITHUB_SERVER_URL", "").rstrip("/") or _derive_web(rest)
        endpoints = Endpoints(rest, graphql, web)
    else:
        web = re.sub(r"/api/v3$", "", (url or "https://github.com").rstrip("/"))
        host = urlsplit(web).hostname
        if host in {"github.com", "api.github.com", "www.github.com"}:
            endpoints = Endpoints(
                "https://api.github.com", "https://api.github.com/graphql", "https://github.com"
            )
        else:
            endpoints = Endpoints(f"{web}/api/v3", f"{web}/api/graphql", web)
    for part in (endpoints.rest, endpoints.graphql, endpoints.web):
        parse_origin(part)
    return endpoints


def _derive_web(rest: str) -> str:
    return (
        "https://github.com" if urlsplit(rest).hostname == "api.github.com" else re.sub(r"/api/v3$", "", rest)
    )


def build_graphql_request(endpoints: Endpoints, document: Document) -> HttpRequest:
    """Build the request for a GraphQL query."""
    body = json.dumps({"query": document.query, "variables": document.variables}, separators=(",", ":"))
    headers = {"accept": "application/json", "content-type": "application/json"}
    return HttpRequest("POST", endpoints.graphql, headers, body.encode())


def build_rest_request(endpoints: Endpoints, *path: str, **query: str | int) -> HttpRequest:
    """Build a REST GET request; every segment of the path is quoted."""
    url = endpoints.rest + "".join(f"/{quote_segment(p)}" for p in path)
    if query:
        url += "?" + "&".join(f"{k}={quote_segment(str(v))}" for k, v in query.items())
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": REST_VERSION}
    return HttpRequest("GET", url, headers)


def read_rate_limit(response: HttpResponse) -> RateLimit | None:
    """Return the primary limit from the headers; None if one of them is missing or invalid."""
    values = [response.headers.get(f"x-ratelimit-{k}", "") for k in ("limit", "remaining", "reset")]
    if not all(re.fullmatch(r"\d{1,11}", text) for text in values):
        return None
    limit, remaining, reset = map(int, values)
    return RateLimit(limit, remaining, datetime.fromtimestamp(reset, UTC))


def check_limits(response: HttpResponse, now: datetime) -> HttpResponse:
    """Return the response if no rate limit applies and its status is 200.

    Raises:
        RetryableError: a primary or secondary rate limit; ``after`` is the wait that GitHub asks for.
        Refused, RepositoryNotFound: another status of failure.
    """
    if response.status in {403, 429}:
        message = _read_message(response)
        limit = read_rate_limit(response)
        is_limit = "rate limit" in message.lower() or "abuse" in message.lower() or response.status == 429
        if is_limit or "retry-after" in response.headers or (limit and limit.remaining == 0):
            raise _build_limit_error(response, now, message or "a rate limit")
        raise Refused(f"GitHub refuses the request: {message or 'status 403'}")
    if response.status == 401:
        raise Refused(
            "GitHub refuses the token (401); check GH_TOKEN, GITHUB_TOKEN, .netrc or `gh auth status`"
        )
    if response.status == 451:
        raise Refused("GitHub blocks the repository for legal reasons (451)")
    return check_status(response, "GitHub")


def _build_limit_error(response: HttpResponse, now: datetime, message: str) -> RetryableError:
    after = read_retry_after(response)
    limit = read_rate_limit(response)
    if after is None and limit is not None and limit.remaining == 0:
        after = max(0.0, (limit.resets_at - now).total_seconds()) + _SLACK
    return RetryableError(f"GitHub: {message}", after, is_throttled=True)


def _read_message(response: HttpResponse) -> str:
    try:
        body = read_json(response, "GitHub")
    except (RetryableError, Unsound):
        return ""
    return clean_text(str(body.get("message", ""))) if isinstance(body, dict) else ""


def read_graphql(response: HttpResponse, now: datetime) -> GraphQLData:
    """Return the data of a GraphQL response, and the errors of its aliases.

    Raises:
        RetryableError: a rate limit, or an incomplete response.
        QueryTooHeavy: GitHub gave up on the query, or failed.
        Refused: GitHub refuses the query.
        Unsound: this is not a GraphQL response.
    """
    check_limits(response, now)
    body = read_json(response, "GitHub")
    if not isinstance(body, dict):
        raise Unsound("GitHub's response is not a GraphQL response")
    errors = _read_errors(body, response, now)
    data = body.get("data")
    if not isinstance(data, dict):
        problem = "; ".join(errors.values())
        if any(_is_fault(error) for error in body.get("errors") or []):
            raise QueryTooHeavy(f"GitHub: {problem}")
        raise (
            Refused(f"GitHub refuses the query: {problem}")
            if problem
            else Unsound("GitHub's response has no data")
        )
    rate = data.get("rateLimit")
    cost = rate.get("cost") if isinstance(rate, dict) else None
    cost = cost if isinstance(cost, int) and 0 <= cost <= 10_000 else 1
    return GraphQLData(data, cost, errors)


def _read_errors(body: dict[str, Any], response: HttpResponse, now: datetime) -> dict[str, str]:
    errors = body.get("errors") or []
    if not isinstance(errors, list):
        raise Unsound("GitHub's response is not a GraphQL response: its errors are not a list")
    messages: dict[str, str] = {}
    for error in errors:
        if not isinstance(error, dict):
            raise Unsound("GitHub's response is not a GraphQL response: an error is not an object")
        kind, message = clean_text(str(error.get("type", ""))), clean_text(str(error.get("message", "")))
        if kind == "RATE_LIMITED" or "rate limit" in message.lower():
            raise _build_limit_error(response, now, message)
        if kind in _TOO_HEAVY or "couldn't respond to your request in time" in message:
            raise QueryTooHeavy(f"GitHub: {message or kind}")
        path = error.get("path")
        messages.setdefault(_format_path(path), f"{kind}: {message}" if kind else message)
    return messages


def _is_fault(error: Mapping[str, Any]) -> bool:
    """Return whether GitHub failed: an error of the query has a type, or says where the query is wrong."""
    message = str(error.get("message", ""))
    return message.startswith("Something went wrong") or not error.keys() & {
        "type",
        "path",
        "locations",
        "extensions",
    }


def _format_path(path: object) -> str:
    if not isinstance(path, list) or not path:
        return ""
    return ".".join(str(p) for p in path[: 2 if path[0] == "repository" else 1])


class StaleCursor(CollectError):
    """GitHub no longer accepts a stored cursor."""


def check_errors(data: GraphQLData) -> GraphQLData:
    """Return the data if no part of it has an error.

    Raises:
        StaleCursor: GitHub does not accept a cursor.
        RetryableError: a part failed.
    """
    for place, message in data.errors.items():
        if message.startswith("INVALID_CURSOR"):
            raise StaleCursor(f"GitHub: {message}")
        if place != "repository":
            raise RetryableError(f"GitHub: {message}")
    return data


def get_repository(data: GraphQLData, alias: str) -> dict[str, Any]:
    """Return the part of a response about one repository.

    Raises:
        RepositoryNotFound: GitHub has no repository of that name, or the token may not read it.
        RetryableError: the part is missing without an error.
        Refused: GitHub refuses access to this repository.
    """
    repository = data.data.get(alias)
    message = data.errors.get(alias)
    if isinstance(repository, dict) and message is None:
        return repository
    if message is None:
        raise RetryableError("GitHub sent no data for the repository")
    if message.startswith("NOT_FOUND"):
        raise RepositoryNotFound("GitHub has no such repository, or the token may not read it")
    if message.partition(":")[0] in {
        "FORBIDDEN",
        "REPOSITORY_ACCESS_BLOCKED",
        "INSUFFICIENT_SCOPES",
        "SAML_FAILURE",
    }:
        raise Refused(f"GitHub refuses access: {message}")
    raise RetryableError(f"GitHub: {message}")


def check_cursor(before: str | None, after: object, *, has_next: bool) -> str | None:
    """Return the cursor of the next page; None after the last page.

    Raises:
        RetryableError: GitHub says that there is a next page, but the cursor has not changed.
    """
    if not has_next:
        return None
    if not isinstance(after, str) or not 0 < len(after) <= 1000 or after == before:
        raise RetryableError("GitHub's cursor does not advance")
    return after


def check_input_url(url: str) -> str:
    """Return the URL of ``--github-url`` if it is valid.

    Raises:
        InputError: it is not an https URL, or it has a query or fragment.
    """
    if urlsplit(url).query or urlsplit(url).fragment:
        raise InputError("--github-url must be the base URL of a GitHub, without query or fragment")
    parse_origin(url)
    return url
