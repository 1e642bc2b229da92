"""The fake as a web application: costs, rate limits, faults, ETags, redirects.

A comment names the source of each behaviour that is not in GitHub's schema or OpenAPI.
"""

from __future__ import annotations

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

from fake_github.faults import IN_PROCESS, Faults, Stall, corrupt_response
from fake_github.graphql_api import NODE_LIMIT, GraphQLApi, build_rate_limit
from fake_github.rest_api import RestApi
from fake_github.world import World

SECONDARY = ("You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach "
             "out to GitHub Support for help, please include the request ID.")  # fmt: skip


class FakeGitHub:
    """A GitHub with the repositories of a world.

    Attributes:
        log: (method, path, status) of every request.
        used: points of GraphQL, requests of REST ("core") in this hour.
        tokens: Authorization headers of the requests.
        charges: requests that were charged, per API.
        responses: path → (status, headers, body) to send instead of the normal response.
    """

    def __init__(
        self, world: World, faults: Faults | None = None, *, limit: int = 5000, retry_after: int = 0
    ) -> None:
        self.world, self.faults = world, faults or Faults()
        self.graphql_api, self.rest_api = GraphQLApi(world), RestApi(world)
        self.limit, self.retry_after = limit, retry_after
        self.used: Counter[str] = Counter()
        self.limits = {"graphql": limit, "core": limit}
        self.log: list[tuple[str, str, int]] = []
        self.tokens: set[str] = set()
        self.charges: Counter[str] = Counter()
        self.now = lambda: datetime.now(UTC)  # tests replace it by the clock of the collector
        self.resets_at = self.now() + timedelta(hours=1)
        self.responses: dict[str, Any] = {}
        base = "/repos/{owner}/{name}"
        self.app = Starlette(
            routes=[
                Route("/graphql", self._graphql, methods=["POST"]),
                Route("/repositories/{id:int}", self._by_id),
                Route("/repositories/{id:int}/{rest:path}", self._by_id),
                Route("/orgs/{owner}", self._organization),
                Route("/users/{login}", self._user),
                Route("/rate_limit", self._rate),
                Route(base, self._repository),
                Route(base + "/{rest:path}", self._below),
                Route("/app/installations/{id:int}/access_tokens", self._installation, methods=["POST"]),
            ]
        )

    # Costs

    @property
    def points(self) -> int:
        return self.used["graphql"]

    def requests(self) -> int:
        return len(self.log)

    def reset(self) -> None:
        self.log.clear()
        self.used.clear()
        self.charges.clear()
        self.faults.history.clear()

    def _out(
        self, request: Request, data: Any, status: int = 200, resource: str = "core", **headers: str
    ) -> Response:
        remaining = max(0, self.limits[resource] - self.used[resource])
        limit_headers = {
            "x-ratelimit-limit": str(self.limits[resource]), "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-used": str(self.used[resource]), "x-ratelimit-resource": resource,
            "x-ratelimit-reset": str(int(self.resets_at.timestamp())), "x-github-request-id": "FAKE:1",
        }  # fmt: skip
        self.log.append((request.method, request.url.path, status))
        other_headers = {k.replace("_", "-"): v for k, v in headers.items()}
        body = b"" if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
        kind = "application/json; charset=utf-8"
        return Response(body, status, {**limit_headers, **other_headers}, media_type=kind)

    async def _fault(self, request: Request, *, is_graphql: bool) -> tuple[Response | None, str | None]:
        """Return the response of a fault, if it replaces the normal one, and the kind of fault."""
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
            message = "API rate limit exceeded for user ID 1."
            now = {
                "x_ratelimit_remaining": "0",
                "x_ratelimit_reset": str(int(self.now().timestamp()) - 1),
            }
            body = (
                {"errors": [{"type": "RATE_LIMITED", "message": message}]}
                if is_graphql
                else {"message": message}
            )
            return self._out(request, body, 200 if is_graphql else 403, resource, **now), fault
        if fault in {"bad_gateway", "gateway_timeout"}:
            page = b"<html><head><title>Server Error</title></head><body>Whoa there!</body></html>"
            return self._out(request, page, 502 if fault == "bad_gateway" else 504, resource), fault
        if fault == "stall":
            if IN_PROCESS in request.scope:
                raise Stall
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return self._out(request, b"", 504, resource), fault
        return None, fault

    def _check_limit(self, request: Request, resource: str) -> Response | None:
        if self.used[resource] < self.limits[resource]:
            return None
        message = "API rate limit exceeded for user ID 1."
        if resource == "graphql":
            return self._out(
                request, {"errors": [{"type": "RATE_LIMITED", "message": message}]}, 200, resource
            )
        return self._out(
            request, {"message": message, "documentation_url": "https://docs.github.com"}, 403, resource
        )

    # GraphQL

    async def _graphql(self, request: Request) -> Response:
        fault_response, fault = await self._fault(request, is_graphql=True)
        if fault_response is not None:
            return fault_response
        if "/graphql" in self.responses:
            status, headers, body = self.responses["/graphql"]
            return self._out(request, body, status, "graphql", **headers)
        if not request.headers.get("authorization", "").lower().startswith(("bearer ", "token ")):
            error = {"message": "This endpoint requires you to be authenticated.", "status": "401"}
            return self._out(request, error, 401, "graphql")
        body = await request.json()
        variables = body.get("variables") or {}
        try:
            document, errors, cost = self.graphql_api.parse_and_price(body["query"], variables)
        except GraphQLError as error:
            errors, cost, document = [error], None, None
        if errors:
            return self._out(request, {"errors": [e.formatted for e in errors]}, 200, "graphql")
        assert cost is not None
        if cost.nodes > NODE_LIMIT:
            message = f"This query requests up to {cost.nodes:,} possible nodes which exceeds the maximum limit of 500,000."
            return self._out(
                request, {"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": message}]}, 200, "graphql"
            )
        if (limit_response := self._check_limit(request, "graphql")) is not None:
            return limit_response
        self.used["graphql"] += cost.points
        self.charges["graphql"] += 1
        rate = build_rate_limit(self.limits["graphql"], self.used["graphql"], self.resets_at, cost)
        out = self.graphql_api.run(document, variables, rate)
        return self._corrupt(request, out, fault, variables)

    def _corrupt(
        self, request: Request, out: dict[str, Any], fault: str | None, variables: dict[str, Any]
    ) -> Response:
        text = corrupt_response(out, fault, variables)
        length = {"content_length": str(2 * len(text))} if fault == "cut_connection" else {}
        return self._out(request, text, 200, "graphql", **length)

    # REST

    async def _rest(self, request: Request, data: Any, fault: str | None, **headers: str) -> Response:
        text = json.dumps(data).encode()
        tag = 'W/"' + hashlib.sha256(text).hexdigest() + '"'
        private = {"etag": tag, "cache_control": "private, max-age=60, s-maxage=60",
                   "vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"}  # fmt: skip
        if request.headers.get("if-none-match") == tag:
            return self._out(request, None, 304, "core", **private)
        if (limit_response := self._check_limit(request, "core")) is not None:
            return limit_response
        self.used["core"] += 1
        self.charges["core"] += 1
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
        fault_response, fault = await self._fault(request, is_graphql=False)
        if fault_response is not None:
            return None, fault_response, fault
        path = request.url.path
        if path in self.responses:
            status, headers, body = self.responses[path]
            return None, self._out(request, body, status, "core", **headers), fault
        full = f"{request.path_params['owner']}/{request.path_params['name']}"
        if full in self.world.blocked_names:
            error = {
                "message": "Repository access blocked",
                "block": {"reason": "dmca", "created_at": "2026-01-01T00:00:00Z"},
            }
            return None, self._out(request, error, 451), fault
        if full in self.world.forbidden_names:
            return (
                None,
                self._out(request, {"message": "Resource not accessible by personal access token"}, 403),
                fault,
            )
        repository = self.world.resolve(full)
        if full in self.world.renames and repository is not None:
            rest = request.path_params.get("rest")
            query = f"?{request.url.query}" if request.url.query else ""
            url = (
                f"{self._base(request)}/repositories/{repository['databaseId']}"
                + (f"/{rest}" if rest else "")
                + query
            )
            error = {
                "message": "Moved Permanently",
                "url": url,
                "documentation_url": "https://docs.github.com",
            }
            return None, self._out(request, error, 301, "core", location=url), fault
        if repository is None:
            return None, self._send_404(request), fault
        return repository, None, fault

    def _send_404(self, request: Request) -> Response:
        return self._out(
            request,
            {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"},
            404,
        )

    async def _repository(self, request: Request) -> Response:
        repository, error_response, fault = await self._find(request)
        if repository is None:
            return error_response or self._send_404(request)
        return await self._rest(request, self.rest_api.repository(repository, self._base(request)), fault)

    async def _by_id(self, request: Request) -> Response:
        repository = next(
            (r for r in self.world.repositories.values() if r["databaseId"] == request.path_params["id"]),
            None,
        )
        if repository is None:
            return self._send_404(request)
        owner, name = repository["nameWithOwner"].split("/")
        request.path_params.update(owner=owner, name=name)
        return await (self._below(request) if "rest" in request.path_params else self._repository(request))

    async def _below(self, request: Request) -> Response:
        repository, error_response, fault = await self._find(request)
        if repository is None:
            return error_response or self._send_404(request)
        api, base, query = self.rest_api, self._base(request), request.query_params
        parts = request.path_params["rest"].split("/")
        if parts == ["stargazers", "history"]:
            size = min(int(query.get("per_page", 30)), 30)
            return await self._rest(request, self._page(repository["weeks"], query, size), fault)
        if parts == ["stargazers", "count"]:
            return await self._rest(request, {"count": repository["stargazerCount"]}, fault)
        if parts in (["stargazers"], ["subscribers"]):  # since July 2026 only collaborators can read them
            return self._send_404(request)
        rows: list[Any]
        if parts == ["issues"]:
            rows = [api.issue(t, repository, base) for t in self._list_threads(repository, query)]
        elif parts == ["pulls"]:
            rows = [
                api.pull(t, repository, base)
                for t in self._list_threads(repository, query, ("pullRequests",))
            ]
        elif parts == ["releases"]:
            rows = [api.release(x) for x in repository["releases"]]
        elif len(parts) > 1 and parts[0] in {"issues", "pulls"} and parts[1].isdigit():
            return await self._send_thread(request, repository, parts, fault)
        else:
            return self._send_404(request)
        return await self._send_page(request, rows, fault)

    async def _send_thread(
        self, request: Request, repository: dict[str, Any], parts: list[str], fault: str | None
    ) -> Response:
        number, api, base = int(parts[1]), self.rest_api, self._base(request)
        thread = next(
            (t for k in ("issues", "pullRequests") for t in repository[k] if t["number"] == number), None
        )
        if thread is None:
            return self._send_404(request)
        if parts[2:] == ["comments"]:
            return await self._send_page(request, [api.comment(c) for c in thread["comments"]], fault)
        if parts[2:] == ["reviews"]:
            return await self._send_page(request, [api.review(c) for c in thread["reviews"]], fault)
        if parts[2:]:
            return self._send_404(request)
        row = (
            api.issue(thread, repository, base)
            if parts[0] == "issues"
            else api.pull(thread, repository, base, whole=True)
        )
        return await self._rest(request, row, fault)

    def _list_threads(
        self, repository: dict[str, Any], query: Any, kinds: tuple[str, ...] = ("issues", "pullRequests")
    ) -> list[Any]:
        rows = [t for k in kinds for t in repository[k]]
        if query.get("state", "open") != "all":
            rows = [t for t in rows if (t["closedAt"] is None) == (query.get("state", "open") == "open")]
        if since := query.get("since"):
            rows = [t for t in rows if t["updatedAt"] >= since.replace("+00:00", "Z")]
        column = {"updated": "updatedAt"}.get(query.get("sort", "created"), "createdAt")
        return sorted(
            rows, key=lambda t: (t[column], t["number"]), reverse=query.get("direction", "desc") == "desc"
        )

    def _page(self, rows: list[Any], query: Any, size: int) -> list[Any]:
        page = int(query.get("page", 1))
        return rows[(page - 1) * size : page * size]

    async def _send_page(self, request: Request, rows: list[Any], fault: str | None) -> Response:
        query = request.query_params
        size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        last = max(1, -(-len(rows) // size))
        links = {}
        if page < last:
            url = request.url
            parts = [
                f'<{url.include_query_params(page=p, per_page=size)}>; rel="{r}"'
                for p, r in ((page + 1, "next"), (last, "last"))
            ]
            links["link"] = ", ".join(parts)
        return await self._rest(request, self._page(rows, query, size), fault, **links)

    async def _organization(self, request: Request) -> Response:
        owners = [
            r["owner"]
            for r in self.world.repositories.values()
            if r["owner"]["login"] == request.path_params["owner"]
        ]
        if not owners or owners[0]["__typename"] != "Organization":
            return self._send_404(request)
        return await self._rest(request, self.rest_api.organization(owners[0]), None)

    async def _user(self, request: Request) -> Response:
        return await self._rest(
            request, {"login": request.path_params["login"], "id": 1, "type": "User"}, None
        )

    async def _rate(self, request: Request) -> Response:
        limits = {
            "limit": self.limit,
            "remaining": self.limit - self.used["core"],
            "reset": int(self.resets_at.timestamp()),
            "used": self.used["core"],
        }
        return self._out(
            request, {"resources": {"core": limits, "graphql": limits, "search": limits}, "rate": limits}
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
