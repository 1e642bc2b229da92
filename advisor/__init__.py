"""advisor: which library should I build on, and how do you know?

>>> import advisor
>>> recommendation = advisor.recommend("finetuning", goal="balanced")
>>> recommendation.choice
'unslothai/unsloth'
>>> [ranked.candidate.name for ranked in recommendation.ranking][:2]
['unsloth', 'trl']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.errors import (
    AdvisorError,
    CollectError,
    ConfigError,
    FactsError,
    InputError,
    SnapshotMissing,
    UnknownName,
)
from advisor.version import __version__ as __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from os import PathLike

    from advisor.answers.explain import Evidence, Rows
    from advisor.api import Comparison, Explanation, Recommendation
    from advisor.decide.requirements import Requirements
    from advisor.model import (
        Benchmark,
        Candidate,
        Contribution,
        CriterionScore,
        Finding,
        Flip,
        Measurement,
        MetricScore,
        Outlook,
        Ranked,
        ScoredCandidate,
    )

__all__ = [
    "AdvisorError",
    "Benchmark",
    "Candidate",
    "CollectError",
    "Comparison",
    "ConfigError",
    "Contribution",
    "CriterionScore",
    "Evidence",
    "Explanation",
    "FactsError",
    "Finding",
    "Flip",
    "InputError",
    "Measurement",
    "MetricScore",
    "Outlook",
    "Ranked",
    "Recommendation",
    "Requirements",
    "Rows",
    "ScoredCandidate",
    "SnapshotMissing",
    "UnknownName",
    "rank",
    "recommend",
]

if not TYPE_CHECKING:  # with it, a type checker would accept every name

    def __getattr__(name: str) -> type:
        """Import the classes of `recommend` on first use, so that `import advisor` stays fast (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from advisor import api, model
        from advisor.answers import explain

        home = next(m for m in (api, model, explain) if hasattr(m, name))
        globals()[name] = getattr(home, name)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def recommend(
    domain: str | PathLike[str] | None = None,
    *,
    repositories: str | Iterable[str] = (),
    goal: str | None = None,
    as_of: date | str | None = None,
    weights: Mapping[str, float] | None = None,
    rules: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    requirements: Requirements | None = None,
    category: str | None = None,
) -> Recommendation:
    """Recommend one of the domain's candidates, with reasons, doubts and the whole ranking.

    Args:
        domain: name of a bundled domain, or path of a TOML file; None: the domain that has the repositories
            (``finetuning`` without any); ``libraries`` compares any libraries that public lists have.
        repositories: compare only these candidates (``owner/name`` or ``name``); one name may be a text.
        category: compare the libraries of this category of public lists, in place of repositories.
        goal: one of the domain's goals; its default if None.
        as_of: use only facts up to this day: a date, a datetime (its day in UTC) or ``YYYY-MM-DD``; the
            snapshot's last day if None or ``today``.
        weights: criterion → weight (≥ 0; only ratios matter), in place of the goal's.
        rules: a rules file in place of the domain's.
        store: a folder of facts in place of the bundled snapshot; ``bundled`` is the bundled snapshot.
        requirements: what the library must do: model, method, GPU memory, licence, kind of backer.

    Raises:
        InputError: an argument is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    arguments = dict(locals())
    from advisor import api

    return api.recommend(arguments)


def rank(
    domain: str | PathLike[str] | None = None,
    *,
    repositories: str | Iterable[str] = (),
    goal: str | None = None,
    as_of: date | str | None = None,
    weights: Mapping[str, float] | None = None,
    rules: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    requirements: Requirements | None = None,
    category: str | None = None,
) -> tuple[Ranked, ...]:
    """Return the ranking alone, best first; the arguments are those of `recommend`.

    >>> [ranked.candidate.name for ranked in rank("finetuning")][:2]
    ['unsloth', 'trl']

    Raises:
        InputError: an argument is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    return recommend(**locals()).ranking
