"""Send queries to GitHub's GraphQL API within a budget of points."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from advisor.collect.github import protocol
from advisor.collect.github.queries import Document
from advisor.collect.http.messages import HttpResponse
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import CollectionOutcome, EventHandler
from advisor.errors import BudgetSpent

T = TypeVar("T")


class GraphQLClient:
    """The GraphQL client of one run; it counts the points that the run has used."""

    def __init__(
        self,
        transport: Transport,
        endpoints: protocol.Endpoints,
        outcome: CollectionOutcome,
        on_event: EventHandler,
        clock: Callable[[], datetime],
        budget: int | None = None,
    ) -> None:
        self._transport, self._endpoints, self._outcome = transport, endpoints, outcome
        self._on_event, self._clock = on_event, clock
        self.budget = budget

    def read_data(self, response: HttpResponse) -> protocol.GraphQLData:
        """Return the data of a response; count its cost and report the remaining rate limit."""
        limit = protocol.read_rate_limit(response)
        if limit is not None:
            self._on_event(
                "limit",
                {
                    "remaining": limit.remaining,
                    "limit": limit.limit,
                    "resets_at": limit.resets_at.isoformat(),
                },
            )
        data = protocol.read_graphql(response, self._clock())
        self._outcome.points += data.cost
        return data

    async def send(
        self, document: Document, read: Callable[[HttpResponse], T], *, may_shrink: bool = False
    ) -> T:
        """Send a document.

        Raises:
            BudgetSpent: it may cost more than the rest of the budget; nothing was sent.
            CollectError: see `Transport.send`.
        """
        if self.budget is not None and self._outcome.points + document.points > self.budget:
            raise BudgetSpent(
                f"the budget of {self.budget} points is used up ({self._outcome.points} used, "
                f"{document.points} more needed); the collected facts are saved"
            )
        request = protocol.build_graphql_request(self._endpoints, document)
        return await self._transport.send(request, read, may_shrink=may_shrink)
