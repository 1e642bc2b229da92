"""Faults of GitHub, one per request: random with a seed, or from a queue."""

from __future__ import annotations

import json
import random
from collections import deque
from typing import Any

# The faults of GraphQL, and those of REST.
GRAPHQL = ("secondary_403", "secondary_200", "secondary_429", "bad_gateway", "gateway_timeout", "stall", "truncated",
           "resource_limits", "partial", "stuck_cursor", "cut_connection", "primary_200",
           "no_data")  # fmt: skip
REST = ("secondary_403", "secondary_429", "bad_gateway", "gateway_timeout", "stall", "truncated",
        "cut_connection", "primary_403")  # fmt: skip
IN_PROCESS = "fake_github.in_process"
"""Key of the scope of a request that does not come over a socket."""


class Stall(Exception):
    """In the process of the client nobody can wait for silence; the transport turns this into a timeout."""


class Faults:
    def __init__(self, seed: int | None = None, probability: float = 0.0) -> None:
        self._random, self.probability = random.Random(seed), probability
        self.queue: deque[str | None] = deque()
        self.history: list[str] = []

    def next(self, *, is_graphql: bool) -> str | None:
        if self.queue:
            fault = self.queue.popleft()
        elif self._random.random() < self.probability:
            fault = self._random.choice(GRAPHQL if is_graphql else REST)
        else:
            fault = None
        if fault:
            self.history.append(fault)
        return fault


def corrupt_response(out: dict[str, Any], fault: str | None, variables: dict[str, Any]) -> bytes:
    """Return the body of a GraphQL response, corrupted by a fault that keeps a part of it."""
    data = out.get("data") or {}
    fields = [k for k in data if k != "rateLimit"]
    if fault == "resource_limits":  # docs.github.com: "Resource limits": partial results and an error
        error = {"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}
        out = {"data": dict.fromkeys(data), "errors": [error]}
    if fault == "no_data":  # octokit/plugin-retry.js#395: status 200, an error without a type, no data
        message = "Something went wrong while executing your query. Please include `FAKE:1` when reporting this issue."
        out = {"data": None, "errors": [{"message": message}]}
    if fault == "partial" and fields:
        error = {"message": "Something went wrong while executing your query.", "path": [fields[-1]]}
        out = {"data": {**data, fields[-1]: None}, "errors": [error]}
    if fault == "stuck_cursor" and isinstance(data.get("repository"), dict):
        for kind, value in data["repository"].items():
            if isinstance(value, dict) and "pageInfo" in value:
                value["pageInfo"] = {"hasNextPage": True, "endCursor": variables.get(f"{kind}After")}
    text = json.dumps(out).encode()
    return text[: len(text) * 2 // 3] if fault in {"truncated", "cut_connection"} else text
