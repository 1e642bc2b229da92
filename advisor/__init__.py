"""advisor: which library should I build on, and how do you know?

>>> import advisor
>>> answer = advisor.recommend("finetuning", goal="balanced")
>>> answer.choice
'huggingface/trl'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from inspect import signature
from os import PathLike
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from advisor.errors import (
    AdvisorError,
    CollectError,
    ConfigError,
    FactsError,
    InputError,
    NothingSuitable,
    SnapshotMissing,
    UnknownName,
)

if TYPE_CHECKING:
    from advisor.decide.requirements import Requirements
    from advisor.model import Ranked, Recommendation

__all__ = [
    "AdvisorError",
    "CollectError",
    "ConfigError",
    "FactsError",
    "InputError",
    "NothingSuitable",
    "SnapshotMissing",
    "UnknownName",
    "rank",
    "recommend",
]
__version__ = "0.1.0"


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _takes_what(asks: Callable[_P, Any]) -> Callable[[Callable[..., _R]], Callable[_P, _R]]:
    """Show the parameters of one function as those of another, which passes them on."""

    def give(function: Callable[..., _R]) -> Callable[_P, _R]:
        of_both = signature(asks).replace(return_annotation=function.__annotations__["return"])
        function.__signature__ = of_both  # type: ignore[attr-defined]  # inspect reads it
        return function

    return give


def recommend(
    domain: str = "finetuning",
    *,
    repositories: Sequence[str] = (),
    goal: str | None = None,
    as_of: date | None = None,
    weights: Mapping[str, float] | None = None,
    rules: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    requirements: Requirements | None = None,
) -> Recommendation:
    """Recommend one of the domain's candidates, with reasons, doubts and the whole ranking.

    Args:
        domain: name of a bundled domain, or path of a TOML file.
        repositories: compare only these candidates (``owner/name`` or ``name``).
        goal: one of the domain's goals; its default if None.
        as_of: answer as one could have on that day; the snapshot's last day if None, never today.
        weights: criterion → weight (≥ 0; only ratios matter), in place of the goal's.
        rules: a rules file in place of the domain's.
        store: a folder of facts in place of the bundled snapshot.
        requirements: what the library must do: model, method, GPU memory, licence, kind of backer.

    Raises:
        InputError: something given is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    from pathlib import Path

    from advisor.answers.question import Request
    from advisor.answers.recommend import recommend as answer
    from advisor.decide.requirements import NOTHING

    return answer(
        Request(
            domain=domain,
            repositories=tuple(repositories),
            goal=goal,
            as_of=as_of,
            weights=weights,
            rules=Path(rules) if rules is not None else None,
            store=Path(store) if store is not None else None,
            requirements=requirements or NOTHING,
        )
    )


@_takes_what(recommend)
def rank(*args: Any, **asked: Any) -> tuple[Ranked, ...]:
    """The ranking alone: what `recommend` takes, best first, the excluded last.

    >>> [ranked.candidate.name for ranked in rank("finetuning")][:2]
    ['trl', 'unsloth']

    Raises:
        InputError: something given is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    return recommend(*args, **asked).ranking
