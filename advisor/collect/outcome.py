"""The outcome of a collection: what is missing and why, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from advisor.errors import CollectError

EventHandler = Callable[[str, Mapping[str, object]], None]
"""Receives each event of a collection: its kind (see docs/how-to/collect.md) and its values."""


@dataclass(frozen=True)
class MissingPart:
    """A part of the facts that was not collected.

    Attributes:
        repository: the repository that the facts describe.
        part: name of the part.
        reason: why it is missing, as a sentence for a person.
        is_final: whether the source says that these facts do not exist, so that a retry cannot help.
        error: the error that was raised, if any.
    """

    repository: str
    part: str
    reason: str
    is_final: bool = False
    error: CollectError | None = field(default=None, compare=False, repr=False)


@dataclass
class CollectionOutcome:
    """Running totals of a collection.

    Attributes:
        repositories: repositories with at least one collected part.
        missing: parts that were not collected.
        points: GraphQL points spent.
        requests: number of HTTP requests.
        unchanged_responses: how many of these requests got status 304 (not modified).
        waited_seconds: time spent waiting for rate limits.
    """

    repositories: set[str] = field(default_factory=set)
    missing: list[MissingPart] = field(default_factory=list)
    points: int = 0
    requests: int = 0
    unchanged_responses: int = 0
    waited_seconds: float = 0.0

    def record_missing(
        self,
        on_event: EventHandler,
        repository: str,
        part: str,
        cause: str | CollectError,
        *,
        is_final: bool = False,
    ) -> None:
        """Record a missing part once and send the event ``none`` (final) or ``missing``."""
        error, reason = (None, cause) if isinstance(cause, str) else (cause, str(cause))
        missing_part = MissingPart(repository, part, reason, is_final, error)
        if missing_part not in self.missing:
            self.missing.append(missing_part)
            kind = "none" if is_final else "missing"
            on_event(kind, {"repository": repository, "part": part, "why": reason})
