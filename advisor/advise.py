"""measure → score → judge → order: the pure function from facts, a date and a goal to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from advisor import acceptability, benched, facts, flips, kept, rules, scoring
from advisor import domain as domains
from advisor.domain import Domain
from advisor.errors import FactsError, InputError, UnknownName
from advisor.metrics import METRICS
from advisor.model import (
    Candidate,
    CriterionScore,
    Measurement,
    Outlook,
    Ranked,
    Recommendation,
)
from advisor.requirements import NOTHING, Requirements
from advisor.store import Store

__all__ = ["Question", "Request", "keep_answers", "read_request", "recommend", "score_candidate"]

WORTH_SAYING = 0.05  # a smaller difference of utilities is no gain or cost


@dataclass(frozen=True)
class Request:
    """What a user may decide; the defaults need no flag.

    Attributes:
        domain: name of a bundled domain or path of a TOML file.
        repositories: candidates to compare instead of all of the domain's.
        goal: one of the domain's goals; None: its default.
        as_of: day to answer for; None: the last day of the snapshot.
        weights: criterion → weight, in place of the goal's.
        rules: a rules file in place of the domain's.
        store: folder of facts; None: the bundled snapshot of the domain.
        requirements: what the library must do; nothing, if left out.
        benchmarks: folder of facts whose benches count; None: those of ``store``.
    """

    domain: str = "finetuning"
    repositories: tuple[str, ...] = ()
    goal: str | None = None
    as_of: date | None = None
    weights: Mapping[str, float] | None = None
    rules: Path | None = None
    store: Path | None = None
    requirements: Requirements = NOTHING
    benchmarks: Path | None = None


@dataclass(frozen=True)
class Question:
    """A request with everything that it names read and checked.

    Of the domain those criteria that rest on benches are left out where nothing was measured and nobody
    weighs them, with the goals that would.
    """

    domain: Domain
    store: Store
    as_of: date
    goal: str
    weights: Mapping[str, float]
    ruleset: tuple[rules.Rule, ...]
    candidates: tuple[Candidate, ...]
    benched: benched.Benched = benched.NOTHING


def read_request(request: Request, *, everybody: bool = False) -> Question:
    """Read what a request names: domain, facts, rules, candidates, weights that add up to 1.

    Args:
        request: what is asked.
        everybody: ask about all whom the store knows; then criteria of more than metrics are left out.

    Raises:
        InputError: something in the request is unknown, malformed or out of range.
        FactsError: there are no usable facts at all.
    """
    domain = domains.load_domain(request.domain)
    if everybody:
        kept_on = tuple(c for c in domain.criteria if all(s.metric in METRICS for s in c.scales))
        domain = domain.model_copy(update={"criteria": kept_on})
    elif not domain.candidates:
        raise InputError(f"domain {domain.name} has no candidates of its own; name a file with --from")
    store = facts.open_store(request.store or domains.data_folder() / "snapshots" / domain.snapshot)
    goal, weights = weights_of(domain, request)
    files = [request.rules] if request.rules else domains.rules_of(domain)
    units = {m.name: m.unit for m in METRICS.values()}
    _check_scales(domain)
    chosen = () if everybody else tuple(_choose(domain, request.repositories))
    measured = benched.read(request.benchmarks or store.path, [c.repository for c in chosen], request.as_of)
    used = measured.that_can_count(domain, weights)
    return Question(
        domain=used,
        store=store,
        as_of=_check_date(request.as_of, store),
        goal=goal,
        weights={c.name: weights[c.name] for c in used.criteria},
        ruleset=tuple(rule for file in files for rule in rules.load_rules(file, units)),
        candidates=chosen,
        benched=measured,
    )


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
    from advisor.asked import hold_against, preferred, what_it_costs

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
    accepted = kept.kept_draws(asked.store, running, asked.weights)
    accepted = accepted or acceptability.accept(running, asked.weights)
    return _answer(asked, _order(ranked, accepted), missing, accepted)


def _scores(ranked: list[Ranked]) -> dict[str, tuple[CriterionScore, ...]]:
    return {r.candidate.repository: r.criteria for r in ranked if _runs(r)}


def keep_answers(store: Store) -> None:
    """Keep beside a bundled snapshot what the questions about it that need no option rest on."""
    kept.keep_measurements(store)
    drawn = []
    for name in domains.available_domains():
        if domains.load_domain(name).snapshot == store.path.name:
            asked = read_request(Request(domain=name, store=store.path))
            scores = _scores(_ranked(asked)[0])
            drawn.append((scores, asked.weights, acceptability.accept(scores, asked.weights)))
    kept.keep_draws(store, drawn)


def _check_date(as_of: date | None, store: Store) -> date:
    if as_of is None:
        return store.as_of
    if not store.first_day <= as_of <= store.as_of:
        raise InputError(
            f"no answer for {as_of}: the snapshot holds facts from {store.first_day} to "
            f"{store.as_of}; choose a day between them"
        )
    return as_of


def weights_of(domain: Domain, request: Request) -> tuple[str, dict[str, float]]:
    """The goal and its weights, with those that the request sets; they add up to 1.

    Raises:
        InputError: an unknown goal or criterion, or a weight out of range.
    """
    goal = request.goal or domain.default_goal
    if goal not in domain.goals:
        raise UnknownName("goal", goal, list(domain.goals))
    names = [c.name for c in domain.criteria]
    weights = {n: float(domain.goals[goal].weights.get(n, 0.0)) for n in names}
    changed = {**weights, **(request.weights or {})}
    try:
        domains.check_weights(changed, names, "weights")
    except ValueError as error:
        raise InputError(str(error)) from None
    whole = sum(changed.values())
    return goal, {name: weight / whole for name, weight in changed.items()}


def _check_scales(domain: Domain) -> None:
    for criterion in domain.criteria:
        for scale in criterion.scales:
            if scale.metric not in METRICS:
                raise UnknownName(f"metric in criterion {criterion.name}", scale.metric, list(METRICS))


def _choose(domain: Domain, wanted: tuple[str, ...]) -> list[Candidate]:
    everybody = domains.candidates(domain, domains.load_organisations())
    if not wanted:
        return everybody
    names = {n.lower(): c for c in everybody for n in (c.repository, c.name, *c.formerly)}
    chosen = {}
    for name in wanted:
        if name.lower() not in names:
            raise UnknownName("candidate", name, [c.repository for c in everybody])
        candidate = names[name.lower()]
        chosen[candidate.repository] = candidate
    return list(chosen.values())


def _measure(
    store: Store, repositories: list[str], as_of: date
) -> tuple[dict[str, dict[str, Measurement]], dict[str, tuple[Outlook, ...]], dict[str, str]]:
    known = set(store.repositories())
    present = [r for r in repositories if r in known]
    missing = {r: "the snapshot has no facts about it" for r in repositories if r not in known}
    found = kept.kept(store, present, as_of) or kept.fresh(store, present, as_of)
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
    criteria = tuple(scoring.score_criterion(c, found) for c in asked.domain.criteria)
    score, low, high, coverage = scoring.total(criteria, asked.weights)
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
