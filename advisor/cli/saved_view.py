"""Read a view that was saved from the dashboard, and compare it with the ranking of today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from advisor.answers.question import Request
from advisor.decide.requirements import NO_REQUIREMENTS, Requirements
from advisor.domain.files import describe_error
from advisor.errors import InputError
from advisor.files import read_text
from advisor.model import Recommendation

TOLERANCE = 0.01  # points of score: the page computes with rounded numbers


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SavedRow(_Strict):
    """A row of the ranking on the page."""

    repository: str
    rank: int | None
    score: float | None
    low: float
    high: float
    wins: float


class SavedAnswer(_Strict):
    """The answer on the page; ``flips`` are those of weights, which older views do not have."""

    choice: str | None
    certainty: Literal["clear", "leaning", "tie", "only", "none"]
    flips: tuple[str, ...] | None = None
    ranking: tuple[SavedRow, ...]


class SavedView(_Strict):
    """The file that "Save this view" writes; ``candidates`` is empty if all candidates were ranked."""

    advisor_view: Literal[1]
    domain: str
    facts: str
    goal: str
    weights: dict[str, float]
    as_of: date
    requirements: Requirements = NO_REQUIREMENTS
    candidates: tuple[str, ...]
    answer: SavedAnswer


def read_view(path: Path) -> SavedView:
    """Read a saved view.

    Raises:
        InputError: the file cannot be read.
        ConfigError: it is not a view.
    """
    try:
        return SavedView.model_validate_json(read_text(path))
    except ValidationError as error:
        raise describe_error(path, error) from None


def build_request(view: SavedView, options: Request) -> Request:
    """Return the request of a view, with the facts and rules of the command line.

    Args:
        view: a saved view.
        options: the request of the command line.

    Raises:
        InputError: the command line sets something that the view contains.
    """
    request = Request(
        domain=options.domain, rules=options.rules, store=options.store, benchmarks=options.benchmarks
    )
    if options != request:
        raise InputError(
            "--replay cannot be combined with candidates, --goal, --as-of, --set or requirements: "
            "the view contains them"
        )
    # The view contains only the name of a domain; the path of a domain file is on the command line.
    is_file = options.domain.endswith(".toml")
    return replace(
        request,
        domain=options.domain if is_file else view.domain,
        repositories=view.candidates,
        goal=view.goal,
        as_of=view.as_of,
        weights=view.weights,
        requirements=view.requirements,
    )


def find_differences(view: SavedView, recommendation: Recommendation) -> Iterator[str]:
    """Yield a sentence for each difference between the view and the recommendation of today."""
    before, today = view.answer, {r.candidate.repository: r for r in recommendation.ranking}
    if before.choice != recommendation.choice:
        choices = (before.choice or "nothing", recommendation.choice or "nothing")
        yield f"the choice was {choices[0]} in the view and is {choices[1]} now"
    if before.certainty != recommendation.certainty:
        yield f"the certainty was {before.certainty} in the view and is {recommendation.certainty} now"
    for row in before.ranking:
        match = today.get(row.repository)
        if match is None:
            yield f"{row.repository} was ranked in the view and is not ranked now"
        elif match.rank != row.rank:
            ranks = (row.rank or "none", match.rank or "none")
            yield f"{row.repository} had rank {ranks[0]} in the view and has {ranks[1]} now"
        elif not _is_near(match.score, row.score):
            yield f"{row.repository} had score {row.score} in the view and has {match.score} now"
    flips = [flip.text for flip in recommendation.flips if flip.kind == "weight"]
    if before.flips is not None and list(before.flips) != flips:
        texts = ("; ".join(before.flips) or "nothing", "; ".join(flips) or "nothing")
        yield f"what would change the choice was in the view: {texts[0]}; and is now: {texts[1]}"


def _is_near(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else abs(a - b) <= TOLERANCE
