"""Ask GitHub's GraphQL within a budget of points, and keep count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from advisor.collect.github import protocol
from advisor.collect.github.queries import Document
from advisor.collect.http.messages import Answer
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import Outcome, Tell
from advisor.errors import BudgetSpent

T = TypeVar("T")


class Asking:
    """One run's conversation with GitHub's GraphQL."""

    def __init__(
        self,
        transport: Transport,
        at: protocol.Endpoints,
        outcome: Outcome,
        tell: Tell,
        clock: Callable[[], datetime],
        budget: int | None = None,
    ) -> None:
        self._transport, self._at, self._outcome, self._tell = transport, at, outcome, tell
        self._clock = clock
        self.budget = budget

    def read(self, answer: Answer) -> protocol.Data:
        """The data of an answer; its cost is booked, and what is left of the hour is told."""
        limit = protocol.limit_of(answer)
        if limit is not None:
            self._tell(
                "limit",
                {
                    "remaining": limit.remaining,
                    "limit": limit.limit,
                    "resets_at": limit.resets_at.isoformat(),
                },
            )
        data = protocol.read_graphql(answer, self._clock())
        self._outcome.points += data.cost
        return data

    async def ask(self, document: Document, read: Callable[[Answer], T], *, may_shrink: bool = False) -> T:
        """Send a document.

        Raises:
            BudgetSpent: it may cost more than is left of the budget; nothing was sent.
            CollectError: see `Transport.send`.
        """
        if self.budget is not None and self._outcome.points + document.points > self.budget:
            raise BudgetSpent(
                f"the budget of {self.budget} points is spent ({self._outcome.points} used, "
                f"{document.points} more needed); what was collected is kept"
            )
        request = protocol.graphql_request(self._at, document)
        return await self._transport.send(request, read, may_shrink=may_shrink)
