"""measure → score → judge → order: the pure function from facts, a date and a goal to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from advisor.answers import draw_cache
from advisor.answers.question import Question, Request, read_request
from advisor.answers.reasons import _doubts, _leaving, _reasons
from advisor.decide import acceptability, flips, rules, utilities
from advisor.domain.domain import available_domains, load_domain
from advisor.errors import FactsError
from advisor.facts.store import Store
from advisor.measure import cache
from advisor.model import (
    Candidate,
    CriterionScore,
    Measurement,
    Outlook,
    Ranked,
    Recommendation,
)

__all__ = ["Question", "Request", "keep_answers", "read_request", "recommend", "score_candidate"]


def recommend(request: Request) -> Recommendation:
    """Rank the candidates and recommend one, or none.

    Raises:
        InputError: something in the request is unknown, malformed or out of range.
        FactsError: there are no usable facts at all.
    """
    asked = read_request(request)
    ranked, missing = _ranked(asked)
    free = ordered_answer(asked, ranked, missing)
    if not request.requirements:
        return free
    from advisor.answers.requirement_check import hold_against, preferred, what_it_costs

    held = hold_against(ranked, request.requirements, asked.domain.snapshot, asked.store, asked.as_of)
    answer = ordered_answer(asked, held, missing)
    if liked := preferred(held):
        answer = replace(ordered_answer(asked, liked, missing), ranking=answer.ranking)
    return replace(answer, asked=what_it_costs(free, answer, request.requirements))


def _ranked(asked: Question) -> tuple[list[Ranked], dict[str, str]]:
    """The candidates that can be ranked, each by itself; of the others, why not."""
    measured, outlooks, missing = _measure(asked.store, [c.repository for c in asked.candidates], asked.as_of)
    ranked = [
        _with_outlook(
            score_candidate(c, asked.benched.over(measured[c.repository], c.repository), asked),
            outlooks[c.repository],
        )
        for c in asked.candidates
        if c.repository in measured
    ]
    return ranked, missing


def ordered_answer(asked: Question, ranked: list[Ranked], missing: dict[str, str]) -> Recommendation:
    """Weigh scored candidates against each other; ``missing``: who is not among them, and why."""
    running = _scores(ranked)
    accepted = draw_cache.kept_draws(asked.store, running, asked.weights)
    accepted = accepted or acceptability.accept(running, asked.weights)
    return _answer(asked, _order(ranked, accepted), missing, accepted)


def _scores(ranked: list[Ranked]) -> dict[str, tuple[CriterionScore, ...]]:
    return {r.candidate.repository: r.criteria for r in ranked if _runs(r)}


def keep_answers(store: Store) -> None:
    """Keep beside a bundled snapshot what the questions about it that need no option rest on."""
    cache.keep_measurements(store)
    drawn = []
    for name in available_domains():
        if load_domain(name).snapshot == store.path.name:
            asked = read_request(Request(domain=name, store=store.path))
            scores = _scores(_ranked(asked)[0])
            drawn.append((scores, asked.weights, acceptability.accept(scores, asked.weights)))
    draw_cache.keep_draws(store, drawn)


def _measure(
    store: Store, repositories: list[str], as_of: date
) -> tuple[dict[str, dict[str, Measurement]], dict[str, tuple[Outlook, ...]], dict[str, str]]:
    known = set(store.repositories())
    present = [r for r in repositories if r in known]
    missing = {r: "the snapshot has no facts about it" for r in repositories if r not in known}
    found = cache.kept(store, present, as_of) or cache.fresh(store, present, as_of)
    measured = found.measured
    missing |= {d.repository: str(d) for d in found.damages}
    for repository in list(measured):
        if not any(m.status == "measured" for m in measured[repository].values()):
            del measured[repository]
            missing[repository] = f"the snapshot knows nothing of it on {as_of}"
    if not measured and found.damages:
        raise FactsError("no candidate can be ranked: " + "; ".join(map(str, found.damages)))
    return measured, found.outlooks, missing


def _with_outlook(ranked: Ranked, outlooks: tuple[Outlook, ...]) -> Ranked:
    """Add the outlook, and beside it what a rule knows and the trees cannot."""
    ends = [f.text for f in ranked.findings if f.verdict == "exclude"]
    return replace(ranked, outlook=tuple(replace(o, known="; ".join(ends)) for o in outlooks))


def score_candidate(candidate: Candidate, found: Mapping[str, Measurement], asked: Question) -> Ranked:
    """Scores and findings of one candidate by itself; rank and wins need the others."""
    criteria = tuple(utilities.score_criterion(c, found) for c in asked.domain.criteria)
    score, low, high, coverage = utilities.total(criteria, asked.weights)
    fired, undecided = rules.judge(asked.ruleset, rules.values_of(candidate, found))
    return Ranked(
        candidate=candidate,
        rank=None,
        score=score,
        low=low,
        high=high,
        coverage=coverage,
        wins=0.0,
        excluded=any(f.verdict == "exclude" for f in fired),
        criteria=criteria,
        findings=fired,
        undecided=undecided,
        measurements=tuple(found[name] for name in sorted(found)),
    )


def _order(ranked: list[Ranked], accepted: acceptability.Acceptability) -> list[Ranked]:
    running = [r for r in ranked if _runs(r)]
    running.sort(key=lambda r: (-(r.score or 0.0), r.candidate.repository.lower()))
    rest = [r for r in ranked if not _runs(r)]
    rest.sort(key=lambda r: (-(r.score or 0.0), r.candidate.repository.lower()))
    return [
        replace(
            r,
            rank=i,
            wins=accepted.ranks[r.candidate.repository][0],
            acceptability=accepted.ranks[r.candidate.repository],
            central_weights=accepted.central_weights[r.candidate.repository],
        )
        for i, r in enumerate(running, start=1)
    ] + rest


def _runs(ranked: Ranked) -> bool:
    return not ranked.excluded and ranked.score is not None


def _answer(
    asked: Question,
    ranking: list[Ranked],
    missing: dict[str, str],
    accepted: acceptability.Acceptability,
) -> Recommendation:
    domain = asked.domain
    running = {r.candidate.repository: r for r in ranking if r.rank is not None}
    first = next(iter(running.values()), None)
    certainty = acceptability.verdict(first.wins if first else 0.0)
    choice = running.get(domain.default or "", first) if certainty == "tie" else first
    titles = {c.name: c.title.lower() for c in domain.criteria}
    turns = (
        *flips.weight_flips(list(running.values()), asked.weights, titles),
        *flips.value_flips(list(running.values()), asked.weights, domain.criteria),
    )
    return Recommendation(
        domain=domain.name,
        goal=asked.goal,
        as_of=asked.as_of,
        snapshot=asked.store.path.name,
        weights=asked.weights,
        choice=choice.candidate.repository if choice else None,
        default=domain.default,
        certainty=certainty if choice else "none",
        reasons=tuple(_reasons(choice, first, running, domain, titles)) if choice else (),
        doubts=tuple(_doubts(choice, asked, titles)) if choice else (),
        leaving_default=tuple(_leaving(domain, ranking, running, titles)),
        ranking=tuple(ranking),
        missing=dict(sorted(missing.items())),
        pairwise=accepted.pairwise,
        flips=turns,
        benchmarks=asked.benched.rows,
    )
