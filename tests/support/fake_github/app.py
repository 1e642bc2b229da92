"""The fake as a web application: accounting, limits, faults, ETags, redirects.

Where a behaviour is not in GitHub's files but in its prose, the place is named; what is from memory says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fake_github.faults import Faults, falsify
from fake_github.graphql_side import NODE_LIMIT, GraphQLSide, rate_limit
from fake_github.rest_side import RestSide
from fake_github.world import World

SECONDARY = ("You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach "
             "out to GitHub Support for help, please include the request ID.")  # fmt: skip
STALL_SECONDS = 0.6


class FakeGitHub:
    """A GitHub with a world in it.

    Attributes:
        log: (method, path, status) of every request.
        used: points of GraphQL, requests of REST ("core") in this hour.
        tokens: Authorization headers seen.
    """

    def __init__(
        self, world: World, faults: Faults | None = None, *, limit: int = 5000, retry_after: int = 0
    ) -> None:
        self.world, self.faults = world, faults or Faults()
        self.graphql_side, self.rest_side = GraphQLSide(world), RestSide(world)
        self.limit, self.retry_after = limit, retry_after
        self.used: Counter[str] = Counter()
        self.limits = {"graphql": limit, "core": limit}
        self.log: list[tuple[str, str, int]] = []
        self.tokens: set[str] = set()
        self.paid: Counter[str] = Counter()
        self.now = lambda: datetime.now(UTC)  # a collector with a clock of its own lends it
        self.resets_at = self.now() + timedelta(hours=1)
        self.answers: dict[str, Any] = {}  # path → (status, headers, body) in place of what it would say
        at = "/repos/{owner}/{name}"
        self.app = Starlette(
            routes=[
                Route("/graphql", self._graphql, methods=["POST"]),
                Route("/repositories/{id:int}", self._by_id),
                Route("/repositories/{id:int}/{rest:path}", self._by_id),
                Route("/orgs/{owner}", self._organization),
                Route("/users/{login}", self._user),
                Route("/rate_limit", self._rate),
                Route(at, self._repository),
                Route(at + "/{rest:path}", self._below),
                Route("/app/installations/{id:int}/access_tokens", self._installation, methods=["POST"]),
            ]
        )

    # accounting

    @property
    def points(self) -> int:
        return self.used["graphql"]

    def requests(self) -> int:
        return len(self.log)

    def reset(self) -> None:
        self.log.clear()
        self.used.clear()
        self.paid.clear()
        self.faults.shown.clear()

    def _out(
        self, request: Request, data: Any, status: int = 200, resource: str = "core", **headers: str
    ) -> Response:
        left = max(0, self.limits[resource] - self.used[resource])
        known = {
            "x-ratelimit-limit": str(self.limits[resource]), "x-ratelimit-remaining": str(left),
            "x-ratelimit-used": str(self.used[resource]), "x-ratelimit-resource": resource,
            "x-ratelimit-reset": str(int(self.resets_at.timestamp())), "x-github-request-id": "FAKE:1",
        }  # fmt: skip
        self.log.append((request.method, request.url.path, status))
        given = {k.replace("_", "-"): v for k, v in headers.items()}
        body = b"" if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
        kind = "application/json; charset=utf-8"
        return Response(body, status, {**known, **given}, media_type=kind)

    async def _fault(self, request: Request, *, is_graphql: bool) -> tuple[Response | None, str | None]:
        """What comes in place of the answer; and the kind of fault that falsifies it instead."""
        self.tokens.add(request.headers.get("authorization", ""))
        fault = self.faults.next(is_graphql=is_graphql)
        resource = "graphql" if is_graphql else "core"
        wait = {"retry_after": str(self.retry_after)}
        error = {
            "message": SECONDARY,
            "documentation_url": "https://docs.github.com/rest/using-the-rest-api/",
        }
        if fault == "secondary_403":
            return self._out(request, error, 403, resource, **wait), fault
        if fault == "secondary_429":
            return self._out(request, error, 429, resource, **wait), fault
        if fault == "secondary_200":  # docs.github.com: "the response status will be 200 or 403"
            return self._out(
                request, {"errors": [{"type": "RATE_LIMITED", "message": SECONDARY}]}, 200, resource, **wait
            ), fault
        if fault in {"primary_200", "primary_403"}:
            said = "API rate limit exceeded for user ID 1."
            now = {
                "x_ratelimit_remaining": "0",
                "x_ratelimit_reset": str(int(self.now().timestamp()) - 1),
            }
            body = (
                {"errors": [{"type": "RATE_LIMITED", "message": said}]} if is_graphql else {"message": said}
            )
            return self._out(request, body, 200 if is_graphql else 403, resource, **now), fault
        if fault in {"bad_gateway", "gateway_timeout"}:
            page = b"<html><head><title>Server Error</title></head><body>Whoa there!</body></html>"
            return self._out(request, page, 502 if fault == "bad_gateway" else 504, resource), fault
        if fault == "stall":
            await asyncio.sleep(STALL_SECONDS)
            return self._out(request, b"", 504, resource), fault
        return None, fault

    def _exhausted(self, request: Request, resource: str) -> Response | None:
        if self.used[resource] < self.limits[resource]:
            return None
        said = "API rate limit exceeded for user ID 1."
        if resource == "graphql":
            return self._out(request, {"errors": [{"type": "RATE_LIMITED", "message": said}]}, 200, resource)
        return self._out(
            request, {"message": said, "documentation_url": "https://docs.github.com"}, 403, resource
        )

    # GraphQL

    async def _graphql(self, request: Request) -> Response:
        replaced, fault = await self._fault(request, is_graphql=True)
        if replaced is not None:
            return replaced
        if "/graphql" in self.answers:
            status, headers, body = self.answers["/graphql"]
            return self._out(request, body, status, "graphql", **headers)
        if not request.headers.get("authorization", "").lower().startswith(("bearer ", "token ")):
            said = {"message": "This endpoint requires you to be authenticated.", "status": "401"}
            return self._out(request, said, 401, "graphql")
        body = await request.json()
        variables = body.get("variables") or {}
        try:
            document, errors, price = self.graphql_side.price(body["query"], variables)
        except GraphQLError as error:
            errors, price, document = [error], None, None
        if errors:
            return self._out(request, {"errors": [e.formatted for e in errors]}, 200, "graphql")
        assert price is not None
        if price.nodes > NODE_LIMIT:
            said = f"This query requests up to {price.nodes:,} possible nodes which exceeds the maximum limit of 500,000."
            return self._out(
                request, {"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": said}]}, 200, "graphql"
            )
        if (spent := self._exhausted(request, "graphql")) is not None:
            return spent
        self.used["graphql"] += price.points
        self.paid["graphql"] += 1
        rate = rate_limit(self.limits["graphql"], self.used["graphql"], self.resets_at, price)
        out = self.graphql_side.run(document, variables, rate)
        return self._falsify(request, out, fault, variables)

    def _falsify(
        self, request: Request, out: dict[str, Any], fault: str | None, variables: dict[str, Any]
    ) -> Response:
        text = falsify(out, fault, variables)
        whole = {"content_length": str(2 * len(text))} if fault == "cut_connection" else {}
        return self._out(request, text, 200, "graphql", **whole)

    # REST

    async def _rest(self, request: Request, data: Any, fault: str | None, **headers: str) -> Response:
        text = json.dumps(data).encode()
        tag = 'W/"' + hashlib.sha256(text).hexdigest() + '"'
        private = {"etag": tag, "cache_control": "private, max-age=60, s-maxage=60",
                   "vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"}  # fmt: skip
        if request.headers.get("if-none-match") == tag:
            return self._out(request, None, 304, "core", **private)
        if (spent := self._exhausted(request, "core")) is not None:
            return spent
        self.used["core"] += 1
        self.paid["core"] += 1
        if fault == "truncated":
            return self._out(request, text[: len(text) * 2 // 3], 200, "core", **private)
        if fault == "cut_connection":
            return self._out(
                request, text[: len(text) // 2], 200, "core", content_length=str(len(text)), **private
            )
        return self._out(request, data, 200, "core", **private, **headers)

    def _base(self, request: Request) -> str:
        return str(request.base_url).rstrip("/")

    async def _find(self, request: Request) -> tuple[dict[str, Any] | None, Response | None, str | None]:
        replaced, fault = await self._fault(request, is_graphql=False)
        if replaced is not None:
            return None, replaced, fault
        path = request.url.path
        if path in self.answers:
            status, headers, body = self.answers[path]
            return None, self._out(request, body, status, "core", **headers), fault
        full = f"{request.path_params['owner']}/{request.path_params['name']}"
        if full in self.world.blocked:
            said = {
                "message": "Repository access blocked",
                "block": {"reason": "dmca", "created_at": "2026-01-01T00:00:00Z"},
            }
            return None, self._out(request, said, 451), fault
        if full in self.world.forbidden:
            return (
                None,
                self._out(request, {"message": "Resource not accessible by personal access token"}, 403),
                fault,
            )
        found = self.world.resolve(full)
        if full in self.world.renames and found is not None:
            rest = request.path_params.get("rest")
            query = f"?{request.url.query}" if request.url.query else ""
            url = (
                f"{self._base(request)}/repositories/{found['databaseId']}"
                + (f"/{rest}" if rest else "")
                + query
            )
            said = {
                "message": "Moved Permanently",
                "url": url,
                "documentation_url": "https://docs.github.com",
            }
            return None, self._out(request, said, 301, "core", location=url), fault
        if found is None:
            return None, self._not_found(request), fault
        return found, None, fault

    def _not_found(self, request: Request) -> Response:
        return self._out(
            request,
            {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"},
            404,
        )

    async def _repository(self, request: Request) -> Response:
        found, replaced, fault = await self._find(request)
        if found is None:
            return replaced or self._not_found(request)
        return await self._rest(request, self.rest_side.repository(found, self._base(request)), fault)

    async def _by_id(self, request: Request) -> Response:
        found = next(
            (r for r in self.world.repositories.values() if r["databaseId"] == request.path_params["id"]),
            None,
        )
        if found is None:
            return self._not_found(request)
        owner, name = found["nameWithOwner"].split("/")
        request.path_params.update(owner=owner, name=name)
        return await (self._below(request) if "rest" in request.path_params else self._repository(request))

    async def _below(self, request: Request) -> Response:
        found, replaced, fault = await self._find(request)
        if found is None:
            return replaced or self._not_found(request)
        side, base, asked = self.rest_side, self._base(request), request.query_params
        parts = request.path_params["rest"].split("/")
        if parts == ["stargazers", "history"]:
            size = min(int(asked.get("per_page", 30)), 30)
            return await self._rest(request, self._page(found["weeks"], asked, size), fault)
        if parts == ["stargazers", "count"]:
            return await self._rest(request, {"count": found["stargazerCount"]}, fault)
        if parts in (["stargazers"], ["subscribers"]):  # closed since July 2026 to all but collaborators
            return self._not_found(request)
        rows: list[Any]
        if parts == ["issues"]:
            rows = [side.issue(t, found, base) for t in self._listed(found, asked)]
        elif parts == ["pulls"]:
            rows = [side.pull(t, found, base) for t in self._listed(found, asked, ("pullRequests",))]
        elif parts == ["releases"]:
            rows = [side.release(x) for x in found["releases"]]
        elif len(parts) > 1 and parts[0] in {"issues", "pulls"} and parts[1].isdigit():
            return await self._single(request, found, parts, fault)
        else:
            return self._not_found(request)
        return await self._paged(request, rows, fault)

    async def _single(
        self, request: Request, found: dict[str, Any], parts: list[str], fault: str | None
    ) -> Response:
        number, side, base = int(parts[1]), self.rest_side, self._base(request)
        thread = next(
            (t for k in ("issues", "pullRequests") for t in found[k] if t["number"] == number), None
        )
        if thread is None:
            return self._not_found(request)
        if parts[2:] == ["comments"]:
            return await self._paged(request, [side.comment(c) for c in thread["comments"]], fault)
        if parts[2:] == ["reviews"]:
            return await self._paged(request, [side.review(c) for c in thread["reviews"]], fault)
        if parts[2:]:
            return self._not_found(request)
        one = (
            side.issue(thread, found, base)
            if parts[0] == "issues"
            else side.pull(thread, found, base, whole=True)
        )
        return await self._rest(request, one, fault)

    def _listed(
        self, found: dict[str, Any], asked: Any, kinds: tuple[str, ...] = ("issues", "pullRequests")
    ) -> list[Any]:
        rows = [t for k in kinds for t in found[k]]
        if asked.get("state", "open") != "all":
            rows = [t for t in rows if (t["closedAt"] is None) == (asked.get("state", "open") == "open")]
        if since := asked.get("since"):
            rows = [t for t in rows if t["updatedAt"] >= since.replace("+00:00", "Z")]
        column = {"updated": "updatedAt"}.get(asked.get("sort", "created"), "createdAt")
        return sorted(
            rows, key=lambda t: (t[column], t["number"]), reverse=asked.get("direction", "desc") == "desc"
        )

    def _page(self, rows: list[Any], asked: Any, size: int) -> list[Any]:
        page = int(asked.get("page", 1))
        return rows[(page - 1) * size : page * size]

    async def _paged(self, request: Request, rows: list[Any], fault: str | None) -> Response:
        asked = request.query_params
        size, page = min(int(asked.get("per_page", 30)), 100), int(asked.get("page", 1))
        last = max(1, -(-len(rows) // size))
        links = {}
        if page < last:
            url = request.url
            parts = [
                f'<{url.include_query_params(page=p, per_page=size)}>; rel="{r}"'
                for p, r in ((page + 1, "next"), (last, "last"))
            ]
            links["link"] = ", ".join(parts)
        return await self._rest(request, self._page(rows, asked, size), fault, **links)

    async def _organization(self, request: Request) -> Response:
        found = [
            r["owner"]
            for r in self.world.repositories.values()
            if r["owner"]["login"] == request.path_params["owner"]
        ]
        if not found or found[0]["__typename"] != "Organization":
            return self._not_found(request)
        return await self._rest(request, self.rest_side.organization(found[0]), None)

    async def _user(self, request: Request) -> Response:
        return await self._rest(
            request, {"login": request.path_params["login"], "id": 1, "type": "User"}, None
        )

    async def _rate(self, request: Request) -> Response:
        about = {
            "limit": self.limit,
            "remaining": self.limit - self.used["core"],
            "reset": int(self.resets_at.timestamp()),
            "used": self.used["core"],
        }
        return self._out(
            request, {"resources": {"core": about, "graphql": about, "search": about}, "rate": about}
        )

    async def _installation(self, request: Request) -> Response:
        self.tokens.add(request.headers.get("authorization", ""))
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._out(
            request,
            {
                "token": "ghs_installation",
                "expires_at": expires,
                "permissions": {},
                "repository_selection": "all",
            },
            201,
        )
