"""The sentences of an answer: reasons, doubts, and a comparison of the others with the default."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.answers.question import Question
from advisor.domain.domain import Domain
from advisor.model import CriterionScore, MetricScore, Ranked, ScoredCandidate
from advisor.population.figures import read_move

NOTABLE_DIFFERENCE = 0.05  # of two utilities; sentences leave out smaller ones


def list_reasons(choice: Ranked, contenders: Sequence[Ranked], domain: Domain) -> list[str]:
    """Return why this candidate is the choice, in sentences.

    Args:
        choice: the candidate to recommend.
        contenders: the candidates with a rank, the best first.
        domain: titles of the criteria, and the reason of the default.
    """
    advantages = [f.text for f in choice.findings if f.verdict == "prefer"]
    if len(contenders) == 1:
        return ["no other candidate is left, and one candidate is no comparison", *advantages]
    first, number = contenders[0], len(contenders)
    sentences = [f"comes first in {choice.wins:.0%} of the sampled weightings, among {number} candidates"]
    if choice is not first:
        sentences.append(
            f"{first.candidate.name} {_lead(first, choice)} but comes first in only {first.wins:.0%} "
            "of the weightings: this is a tie, and in a tie advisor recommends the default of the domain "
            f"({domain.default_reason})"
        )
    titles = {c.name: c.title.lower() for c in domain.criteria}
    others = [r for r in contenders if r is not choice]
    best = [
        titles[mine.criterion]
        for mine in choice.criteria
        if all(is_ahead(mine, r.criterion(mine.criterion)) for r in others)
    ]
    if best:
        sentences.append("scores higher than every other candidate in " + ", ".join(best))
    return sentences + advantages


def is_ahead(first: CriterionScore | MetricScore, second: CriterionScore | MetricScore) -> bool:
    """Return whether the bounds of two scores are apart, the first above the second."""
    return first.low > second.high


def describe_gap(candidate: ScoredCandidate) -> str:
    """Return why a candidate without a score has none."""
    share = f"not enough data: {candidate.coverage:.0%} of the weight is known, and a rank needs half of it"
    return "; ".join(filter(None, (share, read_move(candidate.measurements))))


def _lead(first: Ranked, choice: Ranked) -> str:
    """Return by how much the first is ahead, with a tenth where whole points are equal."""
    for digits in (0, 1):
        scores = [f"{r.score or 0.0:.{digits}f}" for r in (first, choice)]
        if scores[0] != scores[1]:
            return f"has a higher score ({scores[0]} against {scores[1]})"
    return f"has practically the same score ({scores[0]})"


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
    """Return where each other candidate is surely better or worse than the domain's default, in sentences."""
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
            theirs = other.criterion(c.criterion)
            difference = theirs.utility - c.utility
            text = f"{titles[c.criterion]} ({100 * difference:+.0f})"
            if difference >= NOTABLE_DIFFERENCE and is_ahead(theirs, c):
                better.append(text)
            elif difference <= -NOTABLE_DIFFERENCE and is_ahead(c, theirs):
                worse.append(text)
        parts = [f"{word} in {', '.join(c)}" for word, c in (("better", better), ("worse", worse)) if c]
        names = f"{other.candidate.name} instead of {default.candidate.name}"
        sentences.append(f"{names}: {'; '.join(parts) or 'no difference that is sure'}")
    return sentences
