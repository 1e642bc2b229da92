"""The sentences of an answer: reasons, doubts, and a comparison of the others with the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.answers.question import Question
from advisor.domain.domain import Domain
from advisor.model import Ranked

NOTABLE_DIFFERENCE = 0.05  # of two utilities; sentences leave out smaller ones


def list_reasons(choice: Ranked, contenders: Mapping[str, Ranked], domain: Domain) -> list[str]:
    """Return why this candidate is the choice, in sentences.

    Args:
        choice: the candidate to recommend.
        contenders: repository → candidate with a rank, the best first.
        domain: titles of the criteria, and the reason of the default.
    """
    first = next(iter(contenders.values()))
    number = len(contenders)
    sentences = [f"comes first in {choice.wins:.0%} of the sampled weightings, among {number} candidates"]
    if choice is not first:
        scores = f"{_points(first)} against {_points(choice)}"
        sentences.append(
            f"{first.candidate.name} has a higher score ({scores}) but comes first in only {first.wins:.0%} "
            "of the weightings: this is a tie, and in a tie advisor recommends the default of the domain "
            f"({domain.default_reason})"
        )
    titles = {c.name: c.title.lower() for c in domain.criteria}
    best = [
        titles[mine.criterion]
        for mine in choice.criteria
        if mine.utility is not None
        and all(mine.utility >= (r.criterion(mine.criterion).utility or 0) for r in contenders.values())
    ]
    if best and len(contenders) > 1:
        sentences.append("no other candidate scores higher in " + ", ".join(best))
    return sentences + [f.text for f in choice.findings if f.verdict == "prefer"]


def list_doubts(choice: Ranked, question: Question) -> list[str]:
    """Return what speaks against the choice, in sentences."""
    titles = {c.name: c.title.lower() for c in question.domain.criteria}
    sentences = [f.text for f in choice.findings if f.verdict == "warn"]
    gaps = [c for c in choice.criteria if c.coverage < 1 and question.weights[c.criterion]]
    if gaps:
        shares = [f"{titles[c.criterion]} ({c.coverage:.0%} measured)" for c in gaps]
        sentences.append("not enough data for " + ", ".join(shares))
    if {c.criterion for c in gaps} & {c.name for c in question.domain.criteria if c.benched}:
        sentences.append("it was not measured on your machine: run `advisor bench`")
    return [*sentences, f"possible score: {choice.low:.0f} to {choice.high:.0f}"]


def describe_leaving_default(domain: Domain, ranking: Sequence[Ranked]) -> list[str]:
    """Return where each other candidate is better or worse than the domain's default, in sentences."""
    if domain.default is None:
        return []
    default = next((r for r in ranking if r.repository == domain.default), None)
    if default is None:
        return [f"{domain.default}, the default of this domain, was not compared"]
    if default.excluded:
        return [f"{domain.default}, the default of this domain, is excluded"]
    titles = {c.name: c.title.lower() for c in domain.criteria}
    sentences = []
    for other in ranking:
        if other is default or other.rank is None:
            continue
        better: list[str] = []
        worse: list[str] = []
        for c in default.criteria:
            mine, theirs = c.utility, other.criterion(c.criterion).utility
            if mine is None or theirs is None or abs(theirs - mine) < NOTABLE_DIFFERENCE:
                continue
            text = f"{titles[c.criterion]} ({100 * (theirs - mine):+.0f})"
            (better if theirs > mine else worse).append(text)
        parts = [f"{word} in {', '.join(c)}" for word, c in (("better", better), ("worse", worse)) if c]
        names = f"{other.candidate.name} instead of {default.candidate.name}"
        sentences.append(f"{names}: {'; '.join(parts) or 'no notable difference'}")
    return sentences


def _points(candidate: Ranked) -> str:
    return "?" if candidate.score is None else f"{candidate.score:.0f}"
