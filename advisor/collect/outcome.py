"""What a run of the collectors comes to: what is missing and why, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
    """

    repository: str
    part: str
    why: str
    is_final: bool = False


@dataclass
class Outcome:
    """What a run has done so far.

    Attributes:
        done: repositories of which something was collected.
        missing: what could not be had.
        points: GraphQL points spent.
    """

    done: set[str] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)
    points: int = 0

    def miss(self, tell: Tell, repository: str, part: str, why: str, *, is_final: bool = False) -> None:
        """Note that a part is missing, and tell of it."""
        found = Missing(repository, part, why, is_final)
        if found not in self.missing:
            self.missing.append(found)
            what = "none" if is_final else "missing"
            tell(what, {"repository": repository, "part": part, "why": why})
