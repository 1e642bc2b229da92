"""The data that the page computes with: scores by month, series and facts, as plain JSON values.

Utilities are rounded to six digits and other numbers to six significant digits; the page's scores differ
from Python's by less than 0.001 points.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from advisor.answers.goal_check import list_unmet_goals
from advisor.answers.history import Timeline
from advisor.answers.list_figures import describe_collection
from advisor.answers.timeline_cache import SERIES
from advisor.decide import acceptability
from advisor.decide.acceptability import CLEAR, LEANING
from advisor.decide.requirements import NO_REQUIREMENTS, Requirements
from advisor.decide.utilities import FLOOR
from advisor.measure.cache import measurements_key
from advisor.measure.definitions import DEFINITIONS
from advisor.model import CriterionScore, Finding, Measurement, Recommendation, ScoredCandidate
from advisor.report.dashboard import reference
from advisor.report.dashboard.answer import doubts_without_flips
from advisor.report.dashboard.first_screen import first_screen
from advisor.report.json import plain
from advisor.report.ranking.text import list_nearest_flips

SCHEMA = 1
MOST_PEOPLE = 20  # candidates whose people the page has: those of 60 would double its data


def page_data(
    answer: Recommendation, timeline: Timeline, requirements: Requirements = NO_REQUIREMENTS
) -> dict[str, Any]:
    """Return the data of the page; assets/engine.js, which reads it, describes its keys."""
    domain = timeline.question.domain
    by_repository = {c.repository: c for c in timeline.question.candidates}
    # The colours follow this order, which no slider changes: ranked candidates first.
    order = [r.candidate.repository for r in answer.ranking]
    order += [r for r in by_repository if r not in order]
    extra_findings = {r: _extra_findings(answer, timeline, r) for r in order}
    source_names = sorted({s for r in answer.ranking for m in r.measurements for s in m.sources})
    key = measurements_key(timeline.question.store, answer.as_of)
    return {
        "schema": SCHEMA,
        "domain": domain.name,
        "title": domain.title,
        "question": domain.question,
        "snapshot": answer.snapshot,
        "refresh": describe_collection(timeline.question),
        "facts": key[:16],
        "goal": answer.goal,
        "has_own_weights": answer.has_own_weights,
        "is_open": bool(answer.open_questions),
        "unmet_goals": list_unmet_goals(timeline.question, answer.ranking),
        "weights": {name: _number(w) for name, w in answer.weights.items()},
        "goals": {
            name: {"title": goal.title, "weights": dict(goal.weights)} for name, goal in domain.goals.items()
        },
        "criteria": [
            {
                "name": c.name,
                "title": c.title,
                "benched": c.benched,
                "metrics": [s.metric for s in c.scales],
            }
            for c in domain.criteria
        ],
        "reasons": first_screen(answer)["reasons"],
        "doubts": doubts_without_flips(answer),
        "flips": [[f.kind, f.text] for f in list_nearest_flips(answer)],
        "requirements": plain(asdict(requirements)),
        "default": domain.default,
        "default_reason": domain.default_reason,
        "thresholds": {"clear": CLEAR, "leaning": LEANING, "floor": FLOOR},
        "sampling": {"draws": acceptability.DRAWS, "concentration": acceptability.CONCENTRATION},
        "days": [day.isoformat() for day in timeline.days],
        "candidates": [
            {
                **plain(asdict(by_repository[r])),
                "seed": acceptability.seed_of(r),
                "missing": {**answer.missing, **answer.rivals}.get(r, ""),
                "born": _day(timeline.born.get(r)),
            }
            for r in order
        ],
        "scores": [_months([_scores(x) for x in timeline.candidates.get(r, ())]) for r in order],
        "findings": [
            [_findings(x, extra_findings[r]) for x in timeline.candidates.get(r, ())] for r in order
        ],
        "metrics": {name: _about(name) for name in sorted(DEFINITIONS)},
        "series": {
            name: [[_point(x, name) for x in timeline.candidates.get(r, ())] for r in order]
            for name in SERIES
            if name in DEFINITIONS
        },
        "outlooks": [_outlooks(answer, r) for r in order],
        "percentiles": reference.percentiles(),
        "calibration": reference.calibration(),
        "sources": {name: _sources(answer, name) for name in DEFINITIONS},
        "source_names": source_names,
        "measurements": {
            r.candidate.repository: _columns([_measurement(m, source_names) for m in r.measurements])
            for r in answer.ranking
        },
        "issues": _columns(
            [
                [
                    order.index(i.repository),
                    _day(i.day),
                    *map(_number, (i.open_issues, i.closed_issues, i.low, i.high)),
                    i.source,
                ]
                for i in timeline.issues
            ]
        ),
        "releases": _columns(
            [[order.index(x.repository), _day(x.day), x.tag, int(x.is_prerelease)] for x in timeline.releases]
        ),
        "support": _columns(
            [
                [
                    order.index(s.repository),
                    s.family,
                    s.vendor,
                    *map(_day, (s.family_released_on, s.supported_on, s.removed_on, s.known_until)),
                ]
                for s in timeline.support
            ]
        ),
        "recipes": _columns(
            [
                [
                    order.index(r.repository),
                    *(r.family, r.method, r.task, _day(r.first_day), r.recipes),
                    *(r.published_in if r.published_in != r.repository else "", r.path, r.commit),
                ]
                for r in timeline.recipes
                if r.repository in order
            ]
        ),
        "breaks": _columns(
            [
                [order.index(b.repository), b.tag, _day(b.day), b.broken, b.deprecations, " ".join(b.names)]
                for b in timeline.breaks
                if b.repository in order
            ]
        ),
        "people": [_people(timeline, r) if place < MOST_PEOPLE else None for place, r in enumerate(order)],
        "benchmarks": [
            [order.index(b.repository), *(plain(v) for v in list(asdict(b).values())[1:])]
            for b in answer.benchmarks
            if b.repository in order
        ],
    }


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return the columns of rows: equal values side by side need less space."""
    return [list(column) for column in zip(*rows, strict=True)]


def _measurement(m: Measurement, source_names: Sequence[str]) -> list[Any]:
    """Return what the page shows of a measurement; a source is its place in the names."""
    return [
        m.metric,
        m.status,
        *(_number(x) if isinstance(x, int | float) else x for x in (m.value, m.low, m.high)),
        m.n,
        _number(m.evidence_share),
        [bisect_left(source_names, name) for name in m.sources],
        _day(m.first_day),
        _day(m.last_day),
        m.reason,
    ]


def _scores(candidate: ScoredCandidate | None) -> list[float | int | None] | None:
    """Return utility, low, high and coverage of each criterion in a flat list; None: no measurements."""
    if candidate is None:
        return None
    return [_number(x) for c in candidate.criteria for x in _criterion(c)]


def _months(months: list[list[float | int | None] | None]) -> list[list[float | int | str | None]]:
    """Return the months of each number, "" where it is that of the month before; they need less space."""
    columns = zip(*(now for now in months if now is not None), strict=True)
    return [[place for place, now in enumerate(months) if now is None], *map(_without_repeats, columns)]


def _without_repeats(values: Sequence[float | int | None]) -> list[float | int | str | None]:
    return ["" if place and value == values[place - 1] else value for place, value in enumerate(values)]


def _criterion(c: CriterionScore) -> tuple[float, float, float, float]:
    return c.utility, c.low, c.high, c.coverage


def _findings(candidate: ScoredCandidate | None, extra: list[Finding]) -> list[list[str]]:
    return [] if candidate is None else [_finding(f) for f in (*candidate.findings, *extra)]


def _extra_findings(answer: Recommendation, timeline: Timeline, repository: str) -> list[Finding]:
    """Return findings that do not come from the rules of the domain; they count for all months."""
    row = timeline.candidates.get(repository, ())
    by_rules = row[-1].findings if row and row[-1] else ()
    findings = next((r.findings for r in answer.ranking if r.candidate.repository == repository), ())
    return [f for f in findings if f not in by_rules]


def _outlooks(answer: Recommendation, repository: str) -> list[dict[str, Any]]:
    fields = ("horizon_months", "probability_inactive", "low", "high", "reason", "known")
    return [
        {name: plain(getattr(o, name)) for name in fields}
        for r in answer.ranking
        if r.candidate.repository == repository
        for o in r.outlook
    ]


def _people(timeline: Timeline, repository: str) -> dict[str, Any] | None:
    """Return the people of a library; their months as pairs (months after the page's first, commits)."""
    people = timeline.people.get(repository)
    if people is None:
        return None
    first = timeline.days[0]

    def place(month: date) -> int:
        return 12 * (month.year - first.year) + month.month - first.month

    return {
        "top": [
            [
                _number(p.share),
                _day(p.first_day),
                _day(p.last_day),
                [x for month, commits in p.months if place(month) >= 0 for x in (place(month), commits)],
            ]
            for p in people.top
        ],
        "newcomers": people.newcomers,
        "stayed_3": people.stayed_3,
        "stayed_6": people.stayed_6,
    }


def _finding(f: Finding) -> list[str]:
    return [f.rule, f.verdict, f.text]


def _point(candidate: ScoredCandidate | None, metric: str) -> float | list[float | int | None] | int | None:
    """Return the value, or value, low and high if they differ; None: not measured."""
    if candidate is None:
        return None
    m = candidate.measurement(metric)
    if not isinstance(m.value, int | float):
        return None
    low, high = m.value if m.low is None else m.low, m.value if m.high is None else m.high
    if low == m.value == high:
        return _number(m.value)
    return [_number(m.value), _number(low), _number(high)]


def _about(name: str) -> dict[str, str | int | None]:
    metric = DEFINITIONS[name]
    return {
        "title": metric.title,
        "definition": metric.definition,
        "unit": metric.unit,
        "direction": metric.direction,
        "window_days": metric.window_days,
        "chaoss": metric.chaoss,
    }


def _sources(answer: Recommendation, metric: str) -> list[str]:
    """Return the sources of a metric without commits and files, which the last table lists."""
    sources = (s for r in answer.ranking for m in r.measurements if m.metric == metric for s in m.sources)
    return sorted({"git histories" if s.startswith("git:") else s.split("@", 1)[0] for s in sources})


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _number(value: float | None) -> float | int | None:
    if value is None:
        return None
    number = round(value, 6) if abs(value) <= 1 else float(f"{value:.6g}")
    return int(number) if number == int(number) else number
