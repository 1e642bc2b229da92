"""GraphQL API of the fake: validates and executes queries with GitHub's schema, and pages by cursor."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    build_ast_schema,
    execute,
    get_named_type,
    parse,
    validate,
)

from fake_github.cost import Cost, compute_cost
from fake_github.world import World, iso

CONTRACT = Path(__file__).parent / "contract"
NODE_LIMIT = 500_000  # docs.github.com: "Individual calls cannot request more than 500,000 total nodes"


def load_schema() -> GraphQLSchema:
    text = (CONTRACT / "schema.graphql").read_text()
    return build_ast_schema(parse(text, no_location=True), assume_valid=True, assume_valid_sdl=True)


def build_error(message: str, kind: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


def encode(key: list[Any]) -> str:
    return base64.b64encode(b"cursor:v2:" + json.dumps(key).encode()).decode()


def decode(cursor: str) -> list[Any]:
    try:
        text = base64.b64decode(cursor, validate=True)
        assert text.startswith(b"cursor:v2:")
        return json.loads(text.removeprefix(b"cursor:v2:"))
    except (ValueError, AssertionError):
        message = f"`{cursor}` does not appear to be a valid cursor."
        raise build_error(message, "INVALID_CURSOR_ARGUMENTS") from None


class GraphQLApi:
    def __init__(self, world: World) -> None:
        self.world, self.schema = world, load_schema()
        self._validations: dict[str, Any] = {}

    def parse_and_price(self, query: str, variables: dict[str, Any]) -> tuple[Any, list[GraphQLError], Cost]:
        """Return the parsed query, its errors and its cost."""
        if query not in self._validations:
            document = parse(query)
            self._validations[query] = document, validate(self.schema, document)
        document, errors = self._validations[query]
        return document, errors, compute_cost(self.schema, document, variables) if not errors else Cost()

    def run(self, document: Any, variables: dict[str, Any], rate: dict[str, Any]) -> dict[str, Any]:
        result = execute(self.schema, document, root_value={}, variable_values=variables, context_value=rate,
                         field_resolver=self._resolve, type_resolver=lambda v, *_: v["__typename"])  # fmt: skip
        out: dict[str, Any] = {"data": result.data}
        if result.errors:
            out["errors"] = [
                {"type": (e.extensions or {}).get("type"), "path": e.path, "message": e.message}
                for e in result.errors
            ]
        return out

    def _resolve(self, source: dict[str, Any], info: Any, **args: Any) -> Any:
        name = info.field_name
        if name == "rateLimit":
            return info.context
        if name == "repository":
            return self._repository(f"{args['owner']}/{args['name']}")
        if name in {"issue", "pullRequest", "discussion"} and "number" in args:
            rows = source[
                {"issue": "issues", "pullRequest": "pullRequests", "discussion": "discussions"}[name]
            ]
            thread = next((t for t in rows if t["number"] == args["number"]), None)
            if thread is None:
                kind = name[0].upper() + name[1:]
                raise build_error(
                    f"Could not resolve to a {kind} with the number of {args['number']}.", "NOT_FOUND"
                )
            return thread
        if name == "timelineItems":
            return self._connection(self._timeline(source, args["itemTypes"]), args, info)
        if get_named_type(info.return_type).name.endswith("Connection"):
            return self._connection(source.get(name) or [], args, info)
        return source.get(name)

    def _repository(self, full: str) -> dict[str, Any]:
        if full in self.world.forbidden_names:
            raise build_error("Resource not accessible by personal access token", "FORBIDDEN")
        if full in self.world.blocked_names:
            raise build_error("Repository access blocked", "REPOSITORY_ACCESS_BLOCKED")
        repository = self.world.resolve(full)
        if repository is None:
            raise build_error(f"Could not resolve to a Repository with the name '{full}'.", "NOT_FOUND")
        return repository

    def _timeline(self, pull: dict[str, Any], types: list[str]) -> list[Any]:
        """Return the comments and reviews of a change request in order of time."""
        items = {"ISSUE_COMMENT": ("IssueComment", "comments", "createdAt"),
                 "PULL_REQUEST_REVIEW": ("PullRequestReview", "reviews", "submittedAt")}  # fmt: skip
        rows = [(row[column], {**row, "__typename": type_})
                for type_, key, column in (items[t] for t in types) for row in pull[key]]  # fmt: skip
        return [row for _, row in sorted(rows, key=lambda entry: entry[0])]

    def _connection(self, rows: list[Any], args: dict[str, Any], info: Any) -> dict[str, Any]:
        if args.get("states"):
            rows = [r for r in rows if r["state"] in args["states"]]
        since = (args.get("filterBy") or {}).get("since")
        if since:
            rows = [r for r in rows if r["updatedAt"] >= since.replace("+00:00", "Z")]
        size = self._size(args, info)
        order = args.get("orderBy")
        if order:
            column = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt"}[order["field"]]
            is_descending = order["direction"] == "DESC"
            entries = sorted(((r[column], r.get("number") or r["tagName"]), i) for i, r in enumerate(rows))
            if is_descending:
                entries.reverse()
        else:
            is_descending = False
            entries = [((i, 0), i) for i in range(len(rows))]
        if args.get("after"):
            after = tuple(decode(args["after"]))
            entries = [k for k in entries if (k[0] < after if is_descending else k[0] > after)]
        page = entries[:size]
        last = encode(list(page[-1][0])) if page else None
        return {"totalCount": len(rows), "nodes": [rows[i] for _, i in page],
                "pageInfo": {"hasNextPage": len(entries) > len(page) > 0, "endCursor": last}}  # fmt: skip

    def _size(self, args: dict[str, Any], info: Any) -> int:
        fields = {
            s.name.value
            for n in info.field_nodes
            for s in n.selection_set.selections
            if isinstance(s, FieldNode)
        }
        size = args.get("first")
        if not fields & {"nodes", "edges"}:
            return 0
        if size is None:
            raise build_error(f"You must provide a `first` or `last` value to properly paginate the `{info.field_name}` "
                        "connection.", "MISSING_PAGINATION_BOUNDARIES")  # fmt: skip
        if not 1 <= size <= 100:
            raise build_error(f"Requesting {size} records on the `{info.field_name}` connection exceeds the `first` limit "
                        "of 100 records.", "EXCESSIVE_PAGINATION")  # fmt: skip
        return size


def build_rate_limit(limit: int, used: int, resets_at: Any, cost: Cost) -> dict[str, Any]:
    return {"cost": cost.points, "limit": limit, "remaining": max(0, limit - used), "used": used,
            "nodeCount": cost.nodes, "resetAt": iso(resets_at)}  # fmt: skip
