"""What a run of the collectors comes to: what is missing and why, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from advisor.errors import CollectError

Tell = Callable[[str, Mapping[str, object]], None]
"""Told of every step: what happened (see docs/how-to/collect.md), and its numbers."""


@dataclass(frozen=True)
class Missing:
    """A part of the facts that could not be had.

    Attributes:
        repository: whose facts.
        part: which of them.
        why: the reason, in words.
        is_final: whether the source says that there is none, so that asking again is of no use.
        error: the error behind it, if there is one.
    """

    repository: str
    part: str
    why: str
    is_final: bool = False
    error: CollectError | None = field(default=None, compare=False, repr=False)


@dataclass
class Outcome:
    """What a run has done so far.

    Attributes:
        done: repositories of which something was collected.
        missing: what could not be had.
        points: GraphQL points spent.
        requests: HTTP requests made; of them ``not_modified`` were answered with 304.
        waited_seconds: what rate limits have cost.
    """

    done: set[str] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)
    points: int = 0
    requests: int = 0
    not_modified: int = 0
    waited_seconds: float = 0.0

    def miss(
        self, tell: Tell, repository: str, part: str, why: str | CollectError, *, is_final: bool = False
    ) -> None:
        """Note that a part is missing, and tell of it."""
        error, why = (None, why) if isinstance(why, str) else (why, str(why))
        found = Missing(repository, part, why, is_final, error)
        if found not in self.missing:
            self.missing.append(found)
            what = "none" if is_final else "missing"
            tell(what, {"repository": repository, "part": part, "why": why})
