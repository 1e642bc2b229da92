"""What must not pass a type checker. A mistake that is no longer found makes its comment an error."""

from __future__ import annotations

from typing_extensions import deprecated

import advisor


def wrong_words() -> None:
    """Arguments of the wrong name or type: these fail before the program runs."""
    advisor.recommend(gaol="balanced")  # type: ignore[call-arg]
    advisor.rank(gaol="balanced")  # type: ignore[call-arg]
    advisor.recommend("finetuning", "balanced")  # type: ignore[call-arg]
    advisor.rank(as_of="2025-01-01")  # type: ignore[arg-type]
    advisor.rank(weights={"issues": "2"})  # type: ignore[dict-item]
    advisor.recommend().choice.lower()  # type: ignore[union-attr]
    advisor.recommend().goal = "x"  # type: ignore[misc]
    advisor.recommand()  # type: ignore[attr-defined]


@deprecated("since 0.9: use advisor.recommend()")
def advise(domain: str) -> str | None:
    """How a name goes: it works for a release, and says so to the reader, the checker and the program."""
    return advisor.recommend(domain).choice


def uses_what_goes() -> None:
    """A use of such a name is an error for both."""
    advise("finetuning")  # type: ignore[deprecated]
