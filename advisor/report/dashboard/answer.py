"""The part of the page that needs no script: the answer, the ranking, the controls at their start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from advisor.answers.history import Timeline
from advisor.answers.projects import Project
from advisor.model import Ranked, Recommendation
from advisor.report.dashboard.first_screen import first_screen
from advisor.report.dashboard.links import project_row, repository_url
from advisor.report.ranking.text import flips_title, list_gaps, list_nearest_flips
from advisor.report.values import CONFIDENCE, describe_kind, show_criterion, show_wins

NO_PROJECT = Project()
HALF_MARK = 0.6  # of the mark of a score on a bar from 0 to 100
_HEADLINES = {
    "clear": "Choose",
    "leaning": "Leaning to",
    "tie": "A tie. By default",
    "undecided": "A tie, led by",
    "only": "No comparison, only",
    "none": "Nothing suitable",
}


def answer_for_page(answer: Recommendation, timeline: Timeline) -> dict[str, Any]:
    """Return the values that the template fills in: plain text, numbers and lists of these."""
    domain = timeline.question.domain
    choice = next((r for r in answer.ranking if r.candidate.repository == answer.choice), None)
    titles = {c.name: c.title for c in domain.criteria}
    kind = describe_kind(answer)
    is_comparison = sum(r.rank is not None for r in answer.ranking) > 1
    return {
        "domain": domain,
        "goal": answer.goal,
        "has_own_weights": answer.has_own_weights,
        "as_of": answer.as_of.isoformat(),
        "as_of_long": long_day(answer.as_of),
        "snapshot": answer.snapshot,
        "headline": _HEADLINES[kind],
        "choice": choice.candidate.name if choice else "",
        "choice_repository": answer.choice or "",
        "certainty": answer.certainty,
        "confidence": CONFIDENCE[kind],
        "doubts": doubts_without_flips(answer),
        "requirements": [{"name": "", "text": text} for text in answer.requirement_notes],
        "flips_title": flips_title(answer).capitalize(),
        "flips": [f.text for f in list_nearest_flips(answer)] or ["follows when the page has loaded"],
        "alternatives": [{"name": "", "text": text} for text in answer.leaving_default],
        "default_name": (answer.default or "").rpartition("/")[2],
        "rows": [_row(r) if is_comparison else {**_row(r), "wins": ""} for r in answer.ranking],
        "projects": [
            project_row(r.candidate, timeline.projects.get(r.repository, NO_PROJECT)) for r in answer.ranking
        ],
        "exclusions": [_exclusion(r) for r in answer.ranking if r.excluded],
        "warnings": [
            {"name": r.candidate.name, "text": f.text}
            for r in answer.ranking
            for f in r.findings
            if f.verdict == "warn" and not r.excluded
        ],
        "missing": [
            {"name": name, "text": why} for name, why in (*list_gaps(answer), *answer.rivals.items())
        ],
        "sources": answer.sources,
        "criteria": [
            {"name": name, "title": titles[name], "weight": weight, "percent": f"{weight:.0%}"}
            for name, weight in answer.weights.items()
        ],
        "goals": [{"name": name, "title": g.title} for name, g in domain.goals.items()],
        "months": len(timeline.days),
        **first_screen(answer),
    }


def doubts_without_flips(answer: Recommendation) -> list[str]:
    """Return the doubts that are not flips; the page shows flips in a place of their own."""
    flips = {f.text for f in answer.flips}
    return [text for text in answer.doubts if text not in flips]


def _row(r: Ranked) -> dict[str, Any]:
    return {
        "repository": r.candidate.repository,
        "url": repository_url(r.repository),
        "name": r.candidate.name,
        "backer": r.candidate.backer or "?",
        "rank": "out" if r.excluded else "?" if r.rank is None else str(r.rank),
        "is_ranked": r.rank is not None,
        "score": "?" if r.score is None else f"{r.score:.0f}",
        "mark_from": round((r.score or 0.0) - HALF_MARK, 2),
        "mark_to": round((r.score or 0.0) + HALF_MARK, 2),
        "low": round(r.low, 2),
        "high": round(r.high, 2),
        "interval": f"{r.low:.0f}–{r.high:.0f}",
        "wins": show_wins(r),
        "chances": _chances(r),
        "evidence": f"{r.coverage:.0%}",
        "criteria": [{"name": c.criterion, "text": show_criterion(r, c)} for c in r.criteria],
    }


def _chances(r: Ranked) -> list[dict[str, float]]:
    """Return the start and end (per cent of the bar) of first, second, third and later places."""
    shares = list(r.acceptability or ((r.wins or 0.0,) if r.rank is not None else ()))
    parts = [*(shares[i] if i < len(shares) else 0.0 for i in range(3)), sum(shares[3:])]
    return [
        {"from": round(100 * sum(parts[:i]), 2), "to": round(100 * sum(parts[: i + 1]), 2)}
        for i in range(len(parts))
    ]


def rows_of_others(others: Sequence[Ranked]) -> list[list[str]]:
    """Return the cells of the candidates that the page does not draw: name, rank, score, range, evidence."""
    rows = map(_row, others)
    return [[r["repository"], r["rank"], r["score"], r["interval"], r["evidence"]] for r in rows]


def _exclusion(r: Ranked) -> dict[str, Any]:
    return {
        "name": r.candidate.name,
        "text": "; ".join(f.text for f in r.findings if f.verdict == "exclude"),
    }


def long_day(day: date) -> str:
    """Return a date in words: 24 July 2026."""
    return f"{day.day} {day:%B %Y}"
