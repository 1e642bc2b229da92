"""Whether the facts can answer the goal: what nobody measured, and what no candidate has."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from advisor.answers.question import Question
from advisor.domain.domain import Need
from advisor.domain.files import data_folder
from advisor.model import Ranked, Recommendation


def check_goal(question: Question, answer: Recommendation) -> Recommendation:
    """Add a doubt for what the goal asks and the facts do not answer; such a choice is not clear."""
    missing = [
        c
        for c in question.domain.criteria
        if c.benched and question.weights[c.name] and not answer.benchmarks
    ]
    doubts = [
        *_describe_missing_benchmarks(question, [c.name for c in missing], answer.ranking),
        *_describe_unmet(question, question.goal, answer.ranking),
    ]
    if not doubts:
        return answer
    return replace(
        answer,
        doubts=(*doubts, *answer.doubts),
        certainty="leaning" if answer.certainty == "clear" else answer.certainty,
        open_questions=(*answer.open_questions, *(f"{c.name} on your machine" for c in missing)),
    )


def _describe_missing_benchmarks(
    question: Question, criteria: Sequence[str], ranking: Sequence[Ranked]
) -> list[str]:
    if not criteria:
        return []
    share = sum(question.weights[name] for name in criteria)
    names = " and ".join(criteria)
    missing = f"nobody measured {names} on your machine, which is {share:.0%} of the weight of this goal"
    return [
        f"{missing}: run `advisor bench`",
        *(
            f"{c['stack']} claims, and nobody measured here: “{c['says']}” ({c['date']}, {c['source']})"
            for c in _newest_claims(question.as_of, ranking)
        ),
    ]


def _newest_claims(day: date, ranking: Sequence[Ranked]) -> list[dict[str, Any]]:
    """Return the newest claim, up to the day, of each candidate with a rank."""
    claims = tomllib.loads((data_folder() / "claims.toml").read_text("utf-8"))["claim"]
    known = [c for c in claims if date.fromisoformat(c["date"]) <= day]
    newest = {c["stack"]: c for c in sorted(known, key=lambda c: str(c["date"]))}
    names = [r.candidate.name for r in ranking if r.rank is not None]
    return [newest[name] for name in names if name in newest]


def list_unmet_goals(question: Question, ranking: Sequence[Ranked]) -> list[str]:
    """Return the goals of the domain that no candidate with a rank is known to meet."""
    return [goal for goal in question.domain.goals if _describe_unmet(question, goal, ranking)]


def _describe_unmet(question: Question, goal: str, ranking: Sequence[Ranked]) -> list[str]:
    """Say that no candidate meets what the goal needs; [] if one does."""
    needs = question.domain.goals[goal].needs if goal in question.domain.goals else ()
    contenders = [r for r in ranking if r.rank is not None]
    failures = [[_meets(r, need) for need in needs] for r in contenders]
    if not needs or not contenders or any(all(f is True for f in row) for row in failures):
        return []
    unknown = [r.candidate.name for r, row in zip(contenders, failures, strict=True) if False not in row]
    parts = []
    for place, need in enumerate(needs):
        names = [r.candidate.name for r, row in zip(contenders, failures, strict=True) if row[place] is False]
        if names:
            parts.append(f"{need.otherwise} of {', '.join(names)}")
    if unknown:
        parts.append(f"not known of {', '.join(unknown)}")
    verb = "is known to meet" if unknown else "meets"
    title = question.domain.goals[goal].title
    return [f"no candidate {verb} this goal ({title}): {'; '.join(parts)}"]


def _meets(candidate: Ranked, need: Need) -> bool | None:
    """Return whether a candidate meets a need; None: not known."""
    value = next((m.value for m in candidate.measurements if m.metric == need.metric), None)
    return None if not isinstance(value, int | float) else value >= need.at_least
