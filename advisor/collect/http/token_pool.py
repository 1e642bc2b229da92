"""Several tokens for one GitHub: each is used serially, and only while its own rate limit allows.

Logs and files identify a token by its number in the pool, never by its text.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from advisor.collect.http.auth import Credential
from advisor.collect.http.host_lock import HostLocks

if TYPE_CHECKING:
    from pydantic import SecretStr


class TokenPool:
    """The tokens of a run, shared by its workers through `HostLocks`."""

    def __init__(self, credentials: Sequence[Credential], locks: HostLocks, first: int | None = None) -> None:
        """Start each worker with a token of its own.

        Args:
            credentials: at least one.
            locks: shares rate limits between the workers.
            first: number of the worker; None: the process id.
        """
        self._credentials, self._locks = tuple(credentials), locks
        self._first = os.getpid() if first is None else first
        self.source = f"{len(credentials)} tokens: {credentials[0].source} …"

    def pick_token(self, host: str) -> int:
        """Return the number of the token to use: the next free one, else the one that is free first."""
        order = [(self._first + n) % len(self._credentials) for n in range(len(self._credentials))]
        return min(order, key=lambda n: self._locks.remaining_wait(self.name_lane(host, n)))

    def get_token(self, number: int) -> SecretStr:
        """Return the token with a number."""
        return self._credentials[number].get_token()

    @staticmethod
    def name_lane(host: str, number: int) -> str:
        """Return the name of the lane of a token at a host."""
        return f"{host}-token-{number}"

    def record_limit(self, host: str, number: int, status: int, headers: Mapping[str, str]) -> None:
        """Block the token's lane if a response says that its rate limit is used up."""
        after = headers.get("retry-after", "")
        if status in {403, 429} and after.isdigit():
            self._locks.block_lane(self.name_lane(host, number), float(after))
        elif headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
            self._locks.block_lane(
                self.name_lane(host, number), float(headers["x-ratelimit-reset"]) - time.time() + 1
            )

    def has_free_token(self, host: str) -> bool:
        """Return whether any token may be used now."""
        return self._locks.remaining_wait(self.name_lane(host, self.pick_token(host))) <= 0
