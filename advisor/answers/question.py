"""A user's request, and the question that it becomes when everything that it names is read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from advisor.addresses import github_repository
from advisor.decide import rules
from advisor.decide.requirements import NO_REQUIREMENTS, Requirements
from advisor.domain import domain as domain_module
from advisor.domain import organisations
from advisor.domain.domain import Domain
from advisor.domain.files import data_folder
from advisor.errors import InputError, UnknownName, find_name
from advisor.facts import reading
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.measure.benchmarks import NO_BENCHMARKS, BenchmarkFacts, read_benchmarks
from advisor.measure.definitions import DEFINITIONS, RECIPE_STEPS
from advisor.metrics import METRICS
from advisor.model import Candidate

DEFAULT_DOMAIN = "finetuning"
ANY_LIBRARIES = "libraries"
"""The domain for libraries that no other domain has: generic criteria, no candidates of its own."""
SAME_WEIGHT = 1e-5
"""A share of the weights that differs by less is the same: a saved view has rounded ones."""


@dataclass(frozen=True)
class Request:
    """What a user may choose; every field has a default.

    Attributes:
        domain: name of a bundled domain or path of a TOML file; ``libraries``: any libraries.
        repositories: candidates to compare in place of all of the domain's.
        goal: one of the domain's goals; None: its default.
        as_of: day to answer for; None: the last day of the snapshot.
        weights: criterion → weight, in place of the goal's.
        rules: a rules file in place of the domain's.
        store: folder of facts; None: the bundled snapshot of the domain.
        requirements: what the library must do; by default nothing.
        benchmarks: folder of facts with the benchmarks that count; None: ``store``.
        category: for any libraries: a category of the population, in place of repositories.
        own_store: for any libraries: the user's own facts; they come before the bundled ones.
        population: file of the figures of public lists; None: the bundled one.
        is_backtest: whether the answer is compared with what happened later: the outlook of a library that
            the trees were trained on comes from those that did not see it.
    """

    domain: str = DEFAULT_DOMAIN
    repositories: tuple[str, ...] = ()
    goal: str | None = None
    as_of: date | None = None
    weights: Mapping[str, float] | None = None
    rules: Path | None = None
    store: Path | None = None
    requirements: Requirements = NO_REQUIREMENTS
    benchmarks: Path | None = None
    category: str | None = None
    own_store: Path | None = None
    population: Path | None = None
    is_backtest: bool = False


@dataclass(frozen=True)
class Question:
    """A request with everything that it names, read and checked.

    Criteria that rest only on benchmarks are left out if nothing was measured and they have no weight;
    goals that weigh them are left out too.

    Attributes:
        domain: criteria, goals and default.
        facts: the candidates' facts up to the as-of date.
        goal: name of the goal.
        weights: criterion → weight; they add up to 1.
        ruleset: the rules that judge each candidate.
        candidates: the candidates to compare, with or without facts.
        requirements: what the library must do.
        benchmarks: what `advisor bench` measured of the candidates.
        others: facts about candidates in other stores, each as of its own day.
        is_past: whether the request names the day; then later figures of public lists do not count.
        notes: what to say about the choice of candidates, in sentences.
        outcomes: those that gave the weights of the goal; empty: an expert or the user gave all weights.
        population: file of the figures of public lists; None: the bundled one.
        is_backtest: whether trees that saw a library may not give its outlook.
    """

    domain: Domain
    facts: FactsView
    goal: str
    weights: Mapping[str, float]
    ruleset: tuple[rules.Rule, ...]
    candidates: tuple[Candidate, ...]
    requirements: Requirements = NO_REQUIREMENTS
    benchmarks: BenchmarkFacts = NO_BENCHMARKS
    others: tuple[FactsView, ...] = ()
    is_past: bool = False
    notes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    population: Path | None = None
    is_backtest: bool = False

    @property
    def has_own_weights(self) -> bool:
        """Whether the user's weights differ from those of the goal."""
        weights = self.domain.goals[self.goal].weights
        total = sum(weights.values())
        return any(abs(w - weights.get(c, 0.0) / total) > SAME_WEIGHT for c, w in self.weights.items())

    @property
    def views(self) -> tuple[FactsView, ...]:
        """The facts and those in other stores, as far as they are about candidates."""
        return tuple(view for view in (self.facts, *self.others) if view.repositories)

    @property
    def snapshot(self) -> str:
        """The names of the stores with facts about candidates; ``population``: no store has any."""
        return ", ".join(view.store.path.name for view in self.views) or "population"

    @property
    def store(self) -> Store:
        """The store with the facts."""
        return self.facts.store

    @property
    def as_of(self) -> date:
        """The day to answer for."""
        return self.facts.as_of


def read_request(request: Request, *, whole_store: bool = False) -> Question:
    """Read what a request names: domain, facts, rules, candidates, weights that add up to 1.

    Args:
        request: what the user chose.
        whole_store: ask about all repositories of the store in place of the domain's candidates; criteria
            that need more than metrics are left out.

    Raises:
        InputError: something in the request is unknown, malformed or out of range.
        FactsError: there are no usable facts.
    """
    if whole_store and request.repositories:
        raise InputError("name repositories or rank --all, not both")
    domain = domain_module.load_domain(request.domain)
    if whole_store:
        criteria = tuple(c for c in domain.criteria if all(s.metric in METRICS for s in c.scales))
        domain = domain_module.select_criteria(domain, criteria)
    elif not domain.candidates:
        raise InputError(f"domain {domain.name} has no candidates of its own; name a file with --from")
    store = reading.open_store(request.store or data_folder() / "snapshots" / domain.snapshot)
    goal, weights = weights_of(domain, request)
    ruleset = read_rules(domain, request)
    check_scales(domain)
    candidates = () if whole_store else tuple(select_candidates(domain, request.repositories))
    names = [c.repository for c in candidates]
    benchmarks = read_benchmarks(request.benchmarks or store, names, request.as_of)
    domain = benchmarks.drop_unmeasured_criteria(domain, weights)
    domain, weights = _drop_optional_criteria(domain, goal, weights, request.requirements)
    with_facts = set(store.repositories()) if names else set()
    repositories = tuple(n for n in names if n in with_facts)
    return Question(
        domain=domain,
        facts=FactsView(store, repositories, _check_date(request.as_of, store)),
        goal=goal,
        weights={c.name: weights[c.name] for c in domain.criteria},
        ruleset=ruleset,
        candidates=candidates,
        requirements=request.requirements,
        benchmarks=benchmarks,
        is_past=request.as_of is not None,
        outcomes=() if request.weights else domain.goals[goal].outcomes,
    )


def _drop_optional_criteria(
    domain: Domain, goal: str, weights: Mapping[str, float], requirements: Requirements
) -> tuple[Domain, dict[str, float]]:
    """Leave out optional criteria without a weight, and recipes for a task that the request does not name."""
    names = {c.name for c in domain.criteria if c.optional and not weights[c.name]}
    if not requirements.has_task:
        names |= {c.name for c in domain.criteria if any(s.metric == RECIPE_STEPS.name for s in c.scales)}
    rest = {name: weight for name, weight in weights.items() if name not in names}
    total = sum(rest.values()) if any(weights.get(name) for name in names) else 1.0
    if not total:
        raise InputError("these weights rest on recipes for your task: name it with --model or --method")
    return domain_module.drop_criteria(domain, names, goal), {n: w / total for n, w in rest.items()}


def read_rules(domain: Domain, request: Request) -> tuple[rules.Rule, ...]:
    """Read the rules of the request, or else those of the domain.

    Raises:
        ConfigError: a rule is malformed.
    """
    files = [request.rules] if request.rules else domain_module.rule_files(domain)
    units = {m.name: m.unit for m in METRICS.values()}
    return tuple(rule for file in files for rule in rules.load_rules(file, units))


def weights_of(domain: Domain, request: Request) -> tuple[str, dict[str, float]]:
    """Return the goal and its weights, with those that the request sets; they add up to 1.

    Raises:
        InputError: an unknown goal or criterion, or a weight out of range.
    """
    wish = domain.default_goal if request.goal is None else request.goal
    goal = find_name("goal", wish, domain.goals)
    names = [c.name for c in domain.criteria]
    weights = {n: float(domain.goals[goal].weights.get(n, 0.0)) for n in names}
    weights |= request.weights or {}
    try:
        domain_module.check_weights(weights, names, "weights")
    except ValueError as error:
        raise InputError(str(error)) from None
    total = sum(weights.values())
    return goal, {name: weight / total for name, weight in weights.items()}


def find_candidate(candidates: Sequence[Candidate], name: str) -> Candidate:
    """Return the candidate with this name, or with this name in the past; upper or lower case.

    Args:
        candidates: where to look.
        name: ``owner/name``, an address on GitHub, or ``name``.

    Raises:
        UnknownName: no candidate has this name.
    """
    repository = github_repository(name) or name.strip()
    for candidate in reversed(candidates):
        if repository.lower() in (
            n.lower() for n in (candidate.repository, candidate.name, *candidate.formerly)
        ):
            return candidate
    raise UnknownName("candidate", name, [c.repository for c in candidates])


def _check_date(as_of: date | None, store: Store) -> date:
    if as_of is None:
        return store.as_of
    if not store.first_day <= as_of <= store.as_of:
        raise InputError(
            f"no facts as of {as_of}: the snapshot holds facts from {store.first_day} to "
            f"{store.as_of}; choose a day between them"
        )
    return as_of


def check_scales(domain: Domain) -> None:
    """Check that a metric stands behind each scale.

    Raises:
        UnknownName: a scale has an unknown metric.
    """
    for criterion in domain.criteria:
        for scale in criterion.scales:
            if scale.metric not in DEFINITIONS:
                raise UnknownName(f"metric in criterion {criterion.name}", scale.metric, list(DEFINITIONS))


def select_candidates(domain: Domain, names: Sequence[str]) -> list[Candidate]:
    """Return the candidates of a domain with these names; without names, all of them.

    Raises:
        InputError: a name is unknown or there twice.
    """
    candidates = domain_module.read_candidates(domain, organisations.load_organisations())
    if not names:
        return candidates
    selection = [find_candidate(candidates, name) for name in names]
    check_duplicates(c.repository for c in selection)
    return selection


def check_duplicates(repositories: Iterable[str]) -> None:
    """Check that each candidate is named once.

    Raises:
        InputError: a candidate is named twice.
    """
    for repository, count in Counter(repositories).items():
        if count > 1:
            raise InputError(f"{repository} is named {count} times: name different candidates")
