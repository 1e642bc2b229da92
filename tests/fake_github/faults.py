"""The ways in which GitHub fails, one a request, drawn from a seed or put in a queue by hand."""

from __future__ import annotations

import random
from collections import deque

# Which of them GraphQL shows, and which REST.
GRAPHQL = ("secondary_403", "secondary_200", "secondary_429", "bad_gateway", "gateway_timeout", "stall", "truncated",
           "resource_limits", "partial", "stuck_cursor", "cut_connection", "primary_200")  # fmt: skip
REST = ("secondary_403", "secondary_429", "bad_gateway", "gateway_timeout", "stall", "truncated",
        "cut_connection", "primary_403")  # fmt: skip


class Faults:
    def __init__(self, seed: int | None = None, probability: float = 0.0) -> None:
        self._random, self.probability = random.Random(seed), probability
        self.queue: deque[str | None] = deque()
        self.shown: list[str] = []

    def next(self, *, is_graphql: bool) -> str | None:
        if self.queue:
            fault = self.queue.popleft()
        elif self._random.random() < self.probability:
            fault = self._random.choice(GRAPHQL if is_graphql else REST)
        else:
            fault = None
        if fault:
            self.shown.append(fault)
        return fault
