"""A user's request, and the question that it becomes once everything in it is read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from advisor.decide import rules
from advisor.decide.requirements import NOTHING, Requirements
from advisor.domain import domain as domain_module
from advisor.domain import organisations
from advisor.domain.domain import Domain
from advisor.domain.files import data_folder
from advisor.errors import InputError, UnknownName
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.measure import benchmarks as benched
from advisor.metrics import METRICS
from advisor.model import (
    Candidate,
)


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
    domain = domain_module.load_domain(request.domain)
    if everybody:
        kept_on = tuple(c for c in domain.criteria if all(s.metric in METRICS for s in c.scales))
        domain = domain.model_copy(update={"criteria": kept_on})
    elif not domain.candidates:
        raise InputError(f"domain {domain.name} has no candidates of its own; name a file with --from")
    store = reading.open_store(request.store or data_folder() / "snapshots" / domain.snapshot)
    goal, weights = weights_of(domain, request)
    files = [request.rules] if request.rules else domain_module.rules_of(domain)
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
        domain_module.check_weights(changed, names, "weights")
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
    everybody = domain_module.candidates(domain, organisations.load_organisations())
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
