"""The sentences of an answer: reasons, doubts, and what leaving the default gains and costs."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.answers.question import Question
from advisor.domain.domain import Domain
from advisor.model import (
    CriterionScore,
    Ranked,
)

WORTH_SAYING = 0.05  # a smaller difference of utilities is no gain or cost


def _reasons(
    choice: Ranked,
    first: Ranked | None,
    running: Mapping[str, Ranked],
    domain: Domain,
    titles: Mapping[str, str],
) -> list[str]:
    found = [f"comes first in {choice.wins:.0%} of the sampled weightings of {len(running)} candidates"]
    if first is not None and choice is not first:
        found.append(
            f"{first.candidate.name} scores {_number(first.score)} against {_number(choice.score)}, "
            f"but it wins only {first.wins:.0%} of the weightings: a tie, and in a tie the default "
            f"stays ({domain.default_reason})"
        )
    best = [
        titles[mine.criterion]
        for mine in choice.criteria
        if mine.utility is not None
        and all(mine.utility >= (_criterion(r, mine.criterion).utility or 0) for r in running.values())
    ]
    if best and len(running) > 1:
        found.append("is best or level in " + ", ".join(best))
    return found + [f.text for f in choice.findings if f.verdict == "prefer"]


def _doubts(choice: Ranked, asked: Question, titles: Mapping[str, str]) -> list[str]:
    found = [f.text for f in choice.findings if f.verdict == "warn"]
    lacking = [c for c in choice.criteria if c.coverage < 1 and asked.weights[c.criterion]]
    if lacking:
        unsure = [f"{titles[c.criterion]} ({c.coverage:.0%})" for c in lacking]
        found.append("not all could be measured: " + ", ".join(unsure))
    if {c.criterion for c in lacking} & {c.name for c in asked.domain.criteria if c.benched}:
        found.append("it was not measured on your machine: run `advisor bench`, whose figures then count")
    return [*found, f"its score lies anywhere from {choice.low:.0f} to {choice.high:.0f}"]


def _leaving(
    domain: Domain, ranking: list[Ranked], running: Mapping[str, Ranked], titles: Mapping[str, str]
) -> list[str]:
    if domain.default is None:
        return []
    default = next((r for r in ranking if r.candidate.repository == domain.default), None)
    if default is None:
        return [f"{domain.default}, the default of this domain, was not compared"]
    if default.excluded:
        return [f"{domain.default}, the default of this domain, is excluded"]
    found = []
    for other in running.values():
        if other is default:
            continue
        gains: list[str] = []
        costs: list[str] = []
        for c in default.criteria:
            mine, theirs = c.utility, _criterion(other, c.criterion).utility
            if mine is None or theirs is None or abs(theirs - mine) < WORTH_SAYING:
                continue
            text = f"{titles[c.criterion]} {100 * (theirs - mine):+.0f}"
            (gains if theirs > mine else costs).append(text)
        found.append(
            f"for {other.candidate.name}: gains {', '.join(gains) or 'nothing'}; "
            f"costs {', '.join(costs) or 'nothing'}"
        )
    return found


def _criterion(ranked: Ranked, name: str) -> CriterionScore:
    return next(c for c in ranked.criteria if c.criterion == name)


def _number(score: float | None) -> str:
    return "?" if score is None else f"{score:.0f}"
