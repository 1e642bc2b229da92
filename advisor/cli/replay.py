"""A view saved from the dashboard, read back as a request and compared with the answer of today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from advisor.answers.question import Request
from advisor.decide.requirements import NOTHING, Requirements
from advisor.domain.files import explain
from advisor.errors import ConfigError, InputError
from advisor.model import Recommendation

NEAR = 0.01  # points of score; the page rounds what it computes with


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SavedRow(_Strict):
    """A line of the ranking as the page showed it."""

    repository: str
    rank: int | None
    score: float | None
    low: float
    high: float
    wins: float


class SavedAnswer(_Strict):
    """What the page answered."""

    choice: str | None
    certainty: Literal["clear", "leaning", "tie", "none"]
    ranking: tuple[SavedRow, ...]


class View(_Strict):
    """What "Save this view" writes; ``candidates`` is empty where all took part."""

    advisor_view: Literal[1]
    domain: str
    facts: str
    goal: str
    weights: dict[str, float]
    as_of: date
    requirements: Requirements = NOTHING
    candidates: tuple[str, ...]
    answer: SavedAnswer


def read_view(path: Path) -> View:
    """Read a saved view.

    Raises:
        ConfigError: it cannot be read or is no view.
    """
    try:
        return View.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise explain(path, error) from None


def request_of(view: View, given: Request) -> Request:
    """The request that the view was; where the facts and rules lie is taken from the command line.

    Raises:
        InputError: the command line asks for what the view already says.
    """
    asked = Request(domain=given.domain, rules=given.rules, store=given.store, benchmarks=given.benchmarks)
    if given != asked:
        raise InputError(
            "--replay says candidates, goal, date, weights and requirements by itself; leave these out"
        )
    # A domain file is named on the command line; the view knows its name alone.
    is_file = given.domain.endswith(".toml")
    return replace(
        asked,
        domain=given.domain if is_file else view.domain,
        repositories=view.candidates,
        goal=view.goal,
        as_of=view.as_of,
        weights=view.weights,
        requirements=view.requirements,
    )


def differences(view: View, answer: Recommendation) -> Iterator[str]:
    """In what the answer of today differs from the one that the page showed, in sentences."""
    saved, now = view.answer, {r.candidate.repository: r for r in answer.ranking}
    if saved.choice != answer.choice:
        yield f"the view chose {saved.choice or 'nothing'}, these facts choose {answer.choice or 'nothing'}"
    if saved.certainty != answer.certainty:
        yield f"the view called it {saved.certainty}, these facts call it {answer.certainty}"
    for row in saved.ranking:
        found = now.get(row.repository)
        if found is None:
            yield f"{row.repository} was ranked in the view and is not now"
        elif found.rank != row.rank:
            was, now_is = row.rank or "none", found.rank or "none"
            yield f"{row.repository} had rank {was} in the view and has {now_is} now"
        elif not _near(found.score, row.score):
            yield f"{row.repository} scored {row.score} in the view and scores {found.score} now"


def _near(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else abs(a - b) <= NEAR
