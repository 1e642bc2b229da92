"""Cache of the timeline of a bundled snapshot: scores and series of past months, and facts for charts.

``timeline.json`` of `advisor.measure.months` has for each candidate and each end of a month the utilities of
each criterion, the findings of each set of rules, and the values that the page draws. Their keys are made
from the definitions, so that other criteria, rules or candidates are scored again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from advisor.answers.question import Question
from advisor.answers.recommend import score_candidate, weigh_candidate
from advisor.decide.rules import Rule
from advisor.domain.files import data_folder
from advisor.facts.store import Store
from advisor.measure import months
from advisor.measure.cache import digest
from advisor.model import Candidate, CriterionScore, Finding, Measurement, ScoredCandidate

ENTRY = "timeline.json"
# Metrics that the page draws as a line over the months.
SERIES = (
    "contributors",
    "new_contributors",
    "code_changes_commits",
    "trend",
    "contributor_absence_factor",
    "top_contributor_share",
    "truck_factor",
    "elephant_factor",
    "organizational_diversity",
    "organizational_influence",
    "attention",
    "substance",
    "hype_gap",
    "issues_closed_share",
    "stars",
    "downloads",
)
Past = Mapping[date, Mapping[str, ScoredCandidate | None]]


def encode_scores(question: Question, past: Mapping[date, Mapping[str, Mapping[str, Measurement]]]) -> Any:
    """Return the scores of the question's candidates on past days as values for JSON.

    Args:
        question: with all criteria of its domain.
        past: day → repository → metric → measurement.
    """
    scores: dict[str, Any] = {"utilities": {}, "findings": {}, "series": {}}
    rules = _rules_key(question.ruleset)
    keys = {c.name: key for c, key in zip(question.domain.criteria, _keys(question), strict=True)}
    for candidate in question.candidates:
        repository = candidate.repository
        rows = [each.get(repository, {}) for each in past.values()]
        past_candidates = [
            score_candidate(candidate, row, question) if is_known(row) else None for row in rows
        ]
        for name, key in keys.items():
            utilities = [_utility(s.criterion(name)) if s else None for s in past_candidates]
            scores["utilities"].setdefault(key, {})[repository] = utilities
        findings = [[[f.rule, f.verdict, f.text] for f in s.findings] if s else None for s in past_candidates]
        scores["findings"].setdefault(rules, {})[digest(asdict(candidate))] = findings
        scores["series"][repository] = {
            name: [_point(s.measurement(name)) if s else None for s in past_candidates] for name in SERIES
        }
    return scores


def read_scores(question: Question, days: Sequence[date]) -> Past | None:
    """Read the scores of the candidates on past days; None if one of them is not kept.

    A candidate has only its score, criteria, findings and the measurements of `SERIES`.
    """
    content = months.read_entry(question.store, ENTRY)
    if content is None or question.others:
        return None
    places = {day: place for place, day in enumerate(content["days"])}
    findings = content["findings"].get(_rules_key(question.ruleset), {})
    utilities = [content["utilities"].get(key, {}) for key in _keys(question)]
    names = set(question.facts.intact_repositories)
    candidates = [c for c in question.candidates if c.repository in names]
    if not all(day.isoformat() in places for day in days) or not all(
        digest(asdict(c)) in findings and all(c.repository in u for u in utilities) for c in candidates
    ):
        return None
    columns = {}
    for candidate in candidates:
        own = findings[digest(asdict(candidate))]
        series = content["series"][candidate.repository]
        columns[candidate.repository] = [
            None if own[at] is None else _decode(candidate, question, own[at], [
                u[candidate.repository][at] for u in utilities
            ], {name: points[at] for name, points in series.items()})
            for at in (places[day.isoformat()] for day in days)
        ]  # fmt: skip
    return {day: {name: column[at] for name, column in columns.items()} for at, day in enumerate(days)}


def read_chart_facts(store: Store) -> dict[str, Any] | None:
    """Read the rows of `history.query_chart_facts` as of the snapshot's date; None if they are not kept."""
    content = months.read_entry(store, ENTRY)
    return None if content is None else dict(content["facts"])


def is_known(measurements: Mapping[str, Measurement]) -> bool:
    """Return whether anything was measured."""
    return any(m.status == "measured" for m in measurements.values())


def _decode(
    candidate: Candidate,
    question: Question,
    findings: Sequence[Sequence[Any]],
    utilities: Sequence[Sequence[float]],
    points: Mapping[str, Sequence[float] | None],
) -> ScoredCandidate:
    criteria = tuple(
        CriterionScore(c.name, mean, low, high, coverage, metrics=(), benched=c.benched)
        for c, (mean, low, high, coverage) in zip(question.domain.criteria, utilities, strict=True)
    )
    rows = tuple(_measurement(candidate.repository, *point) for point in points.items())
    return weigh_candidate(question, candidate, criteria, tuple(Finding(*f) for f in findings), (), rows)


def _measurement(repository: str, metric: str, point: Sequence[float] | None) -> Measurement:
    if point is None:
        return Measurement(repository, metric, "unavailable")
    value, low, high = point
    return Measurement(repository, metric, "measured", value, low, high)


def _point(m: Measurement) -> list[Any] | None:
    return [m.value, m.low, m.high] if isinstance(m.value, int | float) else None


def _utility(c: CriterionScore) -> list[float]:
    return [c.utility, c.low, c.high, c.coverage]


def _keys(question: Question) -> list[str]:
    """Return a hash of what each criterion's utilities depend on, besides the measurements."""
    joint = hashlib.sha256((data_folder() / "reference" / "joint_distribution.json").read_bytes()).hexdigest()
    return [digest([repr(criterion), joint]) for criterion in question.domain.criteria]


def _rules_key(ruleset: Sequence[Rule]) -> str:
    return digest([repr(rule) for rule in ruleset])
