"""measure → score → judge → rank: the pure function from a question to a recommendation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from advisor.answers import draw_cache, list_figures
from advisor.answers.goal_check import check_goal
from advisor.answers.list_figures import describe_sources
from advisor.answers.question import Question
from advisor.answers.reasons import describe_leaving_default, list_doubts, list_reasons
from advisor.answers.task_recipes import describe_recipes, measure_recipes, weighs_recipes
from advisor.decide import acceptability, choice, flips, rules, utilities
from advisor.errors import FactsError
from advisor.measure import cache, months
from advisor.measure.definitions import DEFINITIONS, RECIPE_STEPS
from advisor.model import (
    Candidate,
    CriterionScore,
    Finding,
    Flip,
    Measurement,
    Outlook,
    Ranked,
    Recommendation,
    ScoredCandidate,
)
from advisor.outlook.measurements import METRIC, add_outlook_metric

_Candidate = TypeVar("_Candidate", bound=ScoredCandidate)
MOST_SAMPLES = 60
"""Candidates, by score, whose ranks are sampled: the work grows with the square of their number."""


def recommend(question: Question, *, has_outlooks: bool = True) -> Recommendation:
    """Rank the candidates and recommend one, or none.

    Args:
        question: what to answer.
        has_outlooks: whether all candidates have outlooks; `add_outlooks` adds those of some.

    Raises:
        FactsError: no candidate has usable facts.
    """
    candidates, missing = score_candidates(question, has_outlooks=has_outlooks)
    baseline = build_recommendation(question, candidates, missing)
    answer = baseline
    if question.requirements:
        answer = _require(question, candidates, missing, baseline)
    return describe_recipes(question, check_goal(question, answer))


def _require(
    question: Question,
    candidates: Sequence[ScoredCandidate],
    missing: Mapping[str, str],
    baseline: Recommendation,
) -> Recommendation:
    """Recommend a candidate that meets the user's requirements, and say what they cost."""
    from advisor.answers.requirement_check import (
        check_requirements,
        describe_costs,
        find_favourites,
        list_open_questions,
    )

    candidates = check_requirements(question, candidates)
    recommendation = build_recommendation(question, candidates, missing)
    if favourites := find_favourites(candidates):
        of_favourites = build_recommendation(question, favourites, missing)
        recommendation = replace(of_favourites, ranking=recommendation.ranking)
    recommendation = _lower_certainty(
        recommendation, list_open_questions(recommendation.first_choice, question.requirements)
    )
    notes = describe_costs(baseline, recommendation, question.requirements)
    return replace(recommendation, requirement_notes=notes)


def _lower_certainty(recommendation: Recommendation, open_questions: tuple[str, ...]) -> Recommendation:
    """Say what was not checked; a choice that may not meet a requirement is not clear."""
    if open_questions and recommendation.certainty == "clear":
        recommendation = replace(recommendation, certainty="leaning")
    return replace(recommendation, open_questions=open_questions)


def score_candidates(
    question: Question, *, has_outlooks: bool = True
) -> tuple[list[ScoredCandidate], dict[str, str]]:
    """Score the candidates that have facts; of the others, return why they have none.

    Raises:
        FactsError: no candidate has usable facts.
    """
    snapshot, missing = _measure(question, has_outlooks=has_outlooks)
    candidates = []
    for candidate in question.candidates:
        repository = candidate.repository
        if repository in snapshot.measurements:
            rows = question.benchmarks.merge_into(snapshot.measurements[repository], repository)
            result = score_candidate(candidate, rows, question)
            candidates.append(_add_outlook(result, snapshot.outlooks.get(repository, ())))
    return candidates, missing


def score_candidate(
    candidate: Candidate, measurements: Mapping[str, Measurement], question: Question
) -> ScoredCandidate:
    """Score one candidate and judge it by the rules.

    Args:
        candidate: the candidate.
        measurements: metric → its measurement.
        question: criteria, weights and rules.
    """
    criteria = utilities.score_criteria(question.domain.criteria, measurements)
    findings, open_findings = rules.apply_rules(question.ruleset, rules.rule_values(candidate, measurements))
    rows = tuple(measurements[name] for name in sorted(measurements))
    return weigh_candidate(question, candidate, criteria, findings, open_findings, rows)


def weigh_candidate(
    question: Question,
    candidate: Candidate,
    criteria: tuple[CriterionScore, ...],
    findings: tuple[Finding, ...],
    undecided: tuple[Finding, ...],
    measurements: tuple[Measurement, ...],
) -> ScoredCandidate:
    """Return a candidate with the score that its criteria have by the weights of the question."""
    score, low, high, coverage = utilities.total_score(criteria, question.weights)
    return ScoredCandidate(
        candidate=candidate,
        score=score,
        low=low,
        high=high,
        coverage=coverage,
        excluded=any(f.verdict == "exclude" for f in findings),
        criteria=criteria,
        findings=findings,
        undecided=undecided,
        measurements=measurements,
    )


def build_recommendation(
    question: Question, candidates: Sequence[ScoredCandidate], missing: Mapping[str, str]
) -> Recommendation:
    """Rank scored candidates and recommend one, or none.

    Args:
        question: what to answer.
        candidates: the scored candidates.
        missing: the candidates without facts → why.
    """
    leaders = find_leaders(candidates)
    scores = rankable_scores(leaders)
    shares = draw_cache.read_or_draw(
        question.store, question.as_of, scores, question.weights, is_repeated=not question.is_backtest
    )
    return _choose(question, _rank(candidates, shares), missing, shares)


def _choose(
    question: Question,
    ranking: Sequence[Ranked],
    missing: Mapping[str, str],
    shares: acceptability.Acceptability,
) -> Recommendation:
    """Recommend the first of the ranking, or in a tie the default of the domain."""
    domain = question.domain
    contenders = [r for r in ranking if r.rank is not None and r.acceptability]
    winner, certainty = choice.choose(contenders, domain.default, shares)
    rivals = {entry.repository for entry in domain.rivals}
    return Recommendation(
        domain=domain.name,
        goal=question.goal,
        as_of=question.as_of,
        snapshot=question.snapshot,
        weights=question.weights,
        choice=winner.repository if winner else None,
        default=domain.default,
        certainty=certainty,
        reasons=tuple(list_reasons(winner, contenders, domain)) if winner else (),
        doubts=tuple(list_doubts(winner, question)) if winner else (),
        leaving_default=tuple(describe_leaving_default(domain, ranking)),
        ranking=tuple(ranking),
        missing={n: why for n, why in sorted(missing.items()) if n not in rivals},
        rivals={n: why for n, why in sorted(missing.items()) if n in rivals},
        sources=tuple(describe_sources(question, ranking)),
        pairwise=shares.pairwise,
        flips=tuple(_find_flips(question, winner.repository, ranking)) if winner else (),
        benchmarks=question.benchmarks.rows,
        outcomes=question.outcomes,
        has_own_weights=question.has_own_weights,
    )


def _find_flips(question: Question, winner: str, ranking: Sequence[Ranked]) -> list[Flip]:
    contenders = [r for r in ranking if r.rank is not None]
    candidates = [r for r in ranking if not r.excluded]
    titles = {c.name: c.title.lower() for c in question.domain.criteria}
    return [
        *flips.weight_flips(winner, candidates, question.weights, titles),
        *flips.value_flips(winner, contenders, question.weights, question.domain.criteria, DEFINITIONS),
    ]


def _measure(question: Question, *, has_outlooks: bool) -> tuple[cache.SnapshotMeasurements, dict[str, str]]:
    names = [c.repository for c in question.candidates]
    missing = {n: list_figures.describe_missing(n, question) for n in names}
    snapshot = cache.SnapshotMeasurements({}, {}, ())
    has_outlooks |= any(s.metric == METRIC.name for c in question.domain.criteria for s in c.scales)
    for view in question.views:
        part = months.measure(
            view,
            has_outlooks=has_outlooks and not question.is_backtest,
            is_repeated=not question.is_backtest,
        )
        if question.is_backtest:
            earlier_names = {c.repository: c.formerly for c in question.candidates}
            part = replace(part, outlooks=cache.compute_outlooks_of(view, earlier_names))
        missing |= {d.repository: str(d) for d in part.damages}
        snapshot = cache.SnapshotMeasurements(
            snapshot.measurements | part.measurements,
            snapshot.outlooks | part.outlooks,
            (*snapshot.damages, *part.damages),
        )
    snapshot = list_figures.add_list_figures(question, snapshot)
    measurements = {}
    for repository, rows in snapshot.measurements.items():
        if any(m.status == "measured" for m in rows.values()):
            measurements[repository] = rows
        else:
            missing[repository] = f"the snapshot has no facts about it as of {question.as_of}"
    if not measurements and snapshot.damages:
        raise FactsError("no candidate can be ranked: " + "; ".join(map(str, snapshot.damages)))
    missing = {name: reason for name, reason in missing.items() if name not in measurements}
    measurements = add_outlook_metric(measurements, snapshot.outlooks)
    if weighs_recipes(question):
        steps = measure_recipes(question)
        measurements = {
            name: {**rows, RECIPE_STEPS.name: steps[name]} if name in steps else rows
            for name, rows in measurements.items()
        }
    return replace(snapshot, measurements=measurements), missing


def add_outlooks(question: Question, ranking: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return the candidates with their outlooks; for an answer of `recommend` without outlooks."""
    candidates = [r for r in ranking if not r.outlook]
    outlooks: dict[str, tuple[Outlook, ...]] = {}
    for view in question.views:
        names = set(view.intact_repositories)
        part = view.select(r.repository for r in candidates if r.repository in names)
        if part.repositories:
            outlooks |= cache.compute_outlooks_of(part)
    return tuple(_add_outlook(r, outlooks.get(r.repository, r.outlook)) for r in ranking)


def _add_outlook(candidate: _Candidate, outlooks: Iterable[Outlook]) -> _Candidate:
    """Add the outlook, with the reasons of rules that exclude: the outlook's model cannot know them."""
    ends = "; ".join(f.text for f in candidate.findings if f.verdict == "exclude")
    return replace(candidate, outlook=tuple(replace(o, known=ends) for o in outlooks))


def find_leaders(candidates: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    """Return the candidates whose ranks are sampled: all of them, or those with the highest scores."""
    rankable = [c for c in candidates if c.is_rankable]
    if len(rankable) <= MOST_SAMPLES:
        return rankable
    best_first = sorted(rankable, key=lambda c: (-(c.score or 0.0), c.repository.lower()))
    best = {c.repository for c in best_first[:MOST_SAMPLES]}
    return [c for c in rankable if c.repository in best]


def rankable_scores(candidates: Iterable[ScoredCandidate]) -> dict[str, tuple[CriterionScore, ...]]:
    """Return candidate → its criteria, for those that can have a rank."""
    return {c.repository: c.criteria for c in candidates if c.is_rankable}


def _rank(candidates: Iterable[ScoredCandidate], shares: acceptability.Acceptability) -> list[Ranked]:
    """Order the candidates: those with a rank, the best first, then the others."""
    ranking = []
    for candidate in candidates:
        ranks = shares.ranks.get(candidate.repository, ())
        ranking.append(
            Ranked(
                **vars(candidate),
                rank=None,
                wins=ranks[0] if ranks else None if candidate.is_rankable else 0.0,
                acceptability=ranks,
                central_weights=shares.central_weights.get(candidate.repository, {}),
            )
        )
    ranking.sort(key=_order)
    return [replace(r, rank=i) if r.is_rankable else r for i, r in enumerate(ranking, 1)]


def _order(candidate: Ranked) -> tuple[bool, float, float, str]:
    score = round(candidate.score or 0.0, 9)
    return not candidate.is_rankable, -score, -(candidate.wins or 0.0), candidate.repository.lower()
