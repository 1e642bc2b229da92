"""Mistakes that mypy must report. If it misses one, the comment beside it is an error."""

from __future__ import annotations

from typing_extensions import deprecated

import advisor


def wrong_words() -> None:
    """Arguments with a wrong name or type."""
    advisor.recommend(gaol="balanced")  # type: ignore[call-arg]
    advisor.recommend(domian="finetuning")  # type: ignore[call-arg]
    advisor.recommend("finetuning", "balanced")  # type: ignore[call-arg]
    advisor.recommend(as_of=20250101)  # type: ignore[arg-type]
    advisor.recommend(weights={"issues": "2"})  # type: ignore[dict-item]
    advisor.recommend().choice.lower()  # type: ignore[union-attr]
    advisor.recommend().goal = "x"  # type: ignore[misc]
    advisor.recommand()  # type: ignore[attr-defined]


@deprecated("since 0.9: use advisor.recommend()")
def old_recommend(domain: str) -> str | None:
    """A deprecated name: it works for one more release, and warns the reader, the checker and the program."""
    return advisor.recommend(domain).choice


def use_of_deprecated_name() -> None:
    """mypy reports a use of a deprecated name."""
    old_recommend("finetuning")  # type: ignore[deprecated]
