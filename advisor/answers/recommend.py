"""measure → score → judge → rank: the pure function from a question to a recommendation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from advisor.answers import draw_cache, list_figures
from advisor.answers.goal_check import check_goal
from advisor.answers.list_figures import describe_sources
from advisor.answers.question import Question, Request, read_request
from advisor.answers.reasons import describe_leaving_default, list_doubts, list_reasons
from advisor.decide import acceptability, flips, rules, utilities
from advisor.domain.domain import available_domains, load_domain
from advisor.errors import FactsError
from advisor.facts.store import Store
from advisor.measure import cache
from advisor.measure.list_figures import write_cached_figures
from advisor.model import (
    Candidate,
    CriterionScore,
    Measurement,
    Outlook,
    Ranked,
    Recommendation,
    ScoredCandidate,
)


def recommend(question: Question) -> Recommendation:
    """Rank the candidates and recommend one, or none.

    Raises:
        FactsError: no candidate has usable facts.
    """
    candidates, missing = score_candidates(question)
    baseline = build_recommendation(question, candidates, missing)
    if question.requirements:
        return check_goal(question, _require(question, candidates, missing, baseline))
    return check_goal(question, baseline)


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
        choice = build_recommendation(question, favourites, missing)
        recommendation = replace(choice, ranking=recommendation.ranking)
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


def score_candidates(question: Question) -> tuple[list[ScoredCandidate], dict[str, str]]:
    """Score the candidates that have facts; of the others, return why they have none.

    Raises:
        FactsError: no candidate has usable facts.
    """
    snapshot, missing = _measure(question)
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
    criteria = tuple(utilities.score_criterion(c, measurements) for c in question.domain.criteria)
    score, low, high, coverage = utilities.total_score(criteria, question.weights)
    findings, open_findings = rules.apply_rules(question.ruleset, rules.rule_values(candidate, measurements))
    return ScoredCandidate(
        candidate=candidate,
        score=score,
        low=low,
        high=high,
        coverage=coverage,
        excluded=any(f.verdict == "exclude" for f in findings),
        criteria=criteria,
        findings=findings,
        undecided=open_findings,
        measurements=tuple(measurements[name] for name in sorted(measurements)),
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
    scores = _rankable_scores(candidates)
    shares = draw_cache.read_draws(question.store, scores, question.weights)
    shares = shares or acceptability.sample_ranks(scores, question.weights)
    return _choose(question, _rank(candidates, shares), missing, shares)


def _choose(
    question: Question,
    ranking: Sequence[Ranked],
    missing: Mapping[str, str],
    shares: acceptability.Acceptability,
) -> Recommendation:
    """Recommend the first of the ranking, or in a tie the default of the domain."""
    domain = question.domain
    contenders = {r.repository: r for r in ranking if r.rank is not None}
    first = next(iter(contenders.values()), None)
    certainty = acceptability.certainty(first.wins if first else 0.0)
    choice = contenders.get(domain.default or "", first) if certainty == "tie" else first
    titles = {c.name: c.title.lower() for c in domain.criteria}
    rivals = {entry.repository for entry in domain.rivals}
    return Recommendation(
        domain=domain.name,
        goal=question.goal,
        as_of=question.as_of,
        snapshot=question.snapshot,
        weights=question.weights,
        choice=choice.repository if choice else None,
        default=domain.default,
        certainty=certainty if choice else "none",
        reasons=tuple(list_reasons(choice, contenders, domain)) if choice else (),
        doubts=tuple(list_doubts(choice, question)) if choice else (),
        leaving_default=tuple(describe_leaving_default(domain, ranking)),
        ranking=tuple(ranking),
        missing={n: why for n, why in sorted(missing.items()) if n not in rivals},
        rivals={n: why for n, why in sorted(missing.items()) if n in rivals},
        sources=tuple(describe_sources(question, ranking)),
        pairwise=shares.pairwise,
        flips=(
            *flips.weight_flips(list(contenders.values()), question.weights, titles),
            *flips.value_flips(list(contenders.values()), question.weights, domain.criteria),
        ),
        benchmarks=question.benchmarks.rows,
    )


def write_answer_cache(store: Store) -> None:
    """Write beside a bundled snapshot the measurements and draws for the questions without options.

    Raises:
        FactsError: a file of the store is damaged.
    """
    domains = {name: load_domain(name) for name in available_domains()}
    domains = {name: domain for name, domain in domains.items() if domain.snapshot == store.path.name}
    cache.write_measurement_cache(store)
    write_cached_figures(store, [e.repository for d in domains.values() for e in d.rivals])
    draws = []
    for name in domains:
        if domains[name].candidates:
            question = read_request(Request(domain=name, store=store.path))
            scores = _rankable_scores(score_candidates(question)[0])
            draws.append((scores, question.weights, acceptability.sample_ranks(scores, question.weights)))
    draw_cache.write_draws(store, draws)


def _measure(question: Question) -> tuple[cache.SnapshotMeasurements, dict[str, str]]:
    names = [c.repository for c in question.candidates]
    missing = {n: list_figures.describe_missing(n, question) for n in names}
    snapshot = cache.SnapshotMeasurements({}, {}, ())
    for view in question.views:
        part = cache.read_cached_measurements(view) or cache.measure_fresh(view)
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
    return replace(snapshot, measurements=measurements), missing


def _add_outlook(candidate: ScoredCandidate, outlooks: Iterable[Outlook]) -> ScoredCandidate:
    """Add the outlook, with the reasons of rules that exclude: the outlook's model cannot know them."""
    ends = "; ".join(f.text for f in candidate.findings if f.verdict == "exclude")
    return replace(candidate, outlook=tuple(replace(o, known=ends) for o in outlooks))


def _rankable_scores(candidates: Iterable[ScoredCandidate]) -> dict[str, tuple[CriterionScore, ...]]:
    return {c.repository: c.criteria for c in candidates if c.is_rankable}


def _rank(candidates: Iterable[ScoredCandidate], shares: acceptability.Acceptability) -> list[Ranked]:
    """Order the candidates: those with a rank, the best first, then the others."""
    ranking: list[Ranked] = []
    for candidate in sorted(candidates, key=_order):
        if candidate.is_rankable:
            ranks = shares.ranks[candidate.repository]
            ranking.append(
                Ranked(
                    **vars(candidate),
                    rank=len(ranking) + 1,
                    wins=ranks[0],
                    acceptability=ranks,
                    central_weights=shares.central_weights[candidate.repository],
                )
            )
        else:
            ranking.append(Ranked(**vars(candidate), rank=None, wins=0.0))
    return ranking


def _order(candidate: ScoredCandidate) -> tuple[bool, float, str]:
    return not candidate.is_rankable, -(candidate.score or 0.0), candidate.repository.lower()
