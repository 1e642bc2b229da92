"""Several tokens for one GitHub: each is asked with serially, and only while its own limit allows.

A token is known by its number in the pool; nothing else of it is written anywhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from advisor.collect.http.auth import Credential
from advisor.collect.http.turns import Turns

if TYPE_CHECKING:
    from pydantic import SecretStr


class TokenPool:
    """The tokens of a run, shared by its workers through `Turns`."""

    def __init__(self, credentials: Sequence[Credential], turns: Turns, first: int | None = None) -> None:
        """Begin with another token than the other workers do.

        Args:
            credentials: at least one.
            turns: where the workers tell each other of limits.
            first: number of the worker; None: the number of the process.
        """
        self._credentials, self._turns = tuple(credentials), turns
        self._first = os.getpid() if first is None else first
        self.found_in = f"{len(credentials)} tokens: {credentials[0].found_in} …"

    def pick(self, host: str) -> int:
        """The number of the token to ask with: the first from our own on that is free, or is free soonest."""
        order = [(self._first + n) % len(self._credentials) for n in range(len(self._credentials))]
        return min(order, key=lambda n: self._turns.seconds_left(self.lane(host, n)))

    def token(self, number: int) -> SecretStr:
        """The token itself."""
        return self._credentials[number].token()

    @staticmethod
    def lane(host: str, number: int) -> str:
        """The lane of a token at a host."""
        return f"{host}-token-{number}"

    def heard(self, host: str, number: int, status: int, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says of the token's limit."""
        after = headers.get("retry-after", "")
        if status in {403, 429} and after.isdigit():
            self._turns.wait_for(self.lane(host, number), float(after))
        elif headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
            self._turns.wait_for(
                self.lane(host, number), float(headers["x-ratelimit-reset"]) - time.time() + 1
            )

    def is_free(self, host: str) -> bool:
        """Whether some token may be asked with at once."""
        return self._turns.seconds_left(self.lane(host, self.pick(host))) <= 0
