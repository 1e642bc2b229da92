"""How what a project depends on fares: each package's health by itself, the riskiest first.

Health is a score from 0 to 100 on the fixed scales of ``data/domains/dependencies.toml``; no package's
score hangs on another's. What is not known is listed as unknown, with the reason, and never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.packages import Origin, origin, origins
from advisor.answers.question import Question, Request, weights_of
from advisor.answers.recommend import score_candidate
from advisor.decide import rules
from advisor.domain.domain import available_domains, candidate_of, candidates, load_domain, rules_of
from advisor.domain.files import data_folder
from advisor.domain.organisations import load_organisations
from advisor.errors import InputError
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.measure import cache
from advisor.metrics import METRICS
from advisor.model import Candidate, Measurement, Outlook, Ranked

ALTERNATIVES = 3
"""So many are named beside a package, the healthiest first."""


@dataclass(frozen=True)
class Alternative:
    """Another package for the same purpose that fares better.

    Attributes:
        category: title of the domain that names both.
    """

    name: str
    repository: str
    score: float
    category: str


@dataclass(frozen=True)
class Health:
    """A dependency and how it fares.

    Attributes:
        repository: ``owner/name``; None where nothing says whose package it is.
        origin: what says that it is this repository.
        ranked: score, findings and measurements (rank and wins are of no meaning here); None: unknown.
        as_of: day for which that holds.
        unknown: why nothing is known; empty where something is.
        alternatives: better ones for the same purpose, the healthiest first.
    """

    dependency: Dependency
    repository: str | None = None
    origin: str = ""
    ranked: Ranked | None = None
    as_of: date | None = None
    unknown: str = ""
    alternatives: tuple[Alternative, ...] = ()

    @property
    def score(self) -> float | None:
        """0 to 100; None where it is unknown."""
        return self.ranked.score if self.ranked else None

    def is_below(self, score: float) -> bool:
        """Whether it is known to fare worse than that, or a rule excludes it."""
        return self.ranked is not None and (self.ranked.excluded or (self.ranked.score or 0.0) < score)


@dataclass(frozen=True)
class Dependencies:
    """The answer: ``known`` with the riskiest first, ``unknown`` by name."""

    files: tuple[str, ...]
    goal: str
    weights: Mapping[str, float]
    known: tuple[Health, ...]
    unknown: tuple[Health, ...]


@dataclass(frozen=True)
class _Facts:
    """What the stores know of a repository: the first one that has it speaks."""

    ranked: Ranked
    as_of: date


def open_stores(paths: Iterable[Path]) -> list[Store]:
    """The stores at these places, in order; a place without one is passed over."""
    found = []
    for path in paths:
        if (path / "manifest.json").exists():
            found.append(reading.open_store(path, may_lack_days=True))
    return found


def bundled_stores() -> list[Path]:
    """The snapshots that came along."""
    return sorted(p.parent for p in (data_folder() / "snapshots").glob("*/manifest.json"))


def rank_dependencies(
    wanted: Sequence[Dependency], stores: Sequence[Store], request: Request, files: Sequence[str] = ()
) -> Dependencies:
    """Score what is known of each dependency and list what is not.

    Args:
        wanted: what to rank.
        stores: facts, the first that knows a repository speaks for it.
        request: goal, weights, rules and as-of date; the rest of it is not used.
        files: where the dependencies stand.

    Raises:
        InputError: something in the request is unknown, or no store reaches to its date.
    """
    whose = origins(stores)
    stores = [s for s in stores if s.manifest.get("as_of")]
    asked = _question(stores, request)
    owned = [(d, origin(d, whose)) for d in wanted]
    others = _categories()
    names = {o.repository for _, o in owned if o}
    names |= {c.repository for name in names for _, c in others.get(name, ())}
    found, damaged = _score(sorted(names), stores, request.as_of, asked)
    everybody = [_health(d, o, found, damaged, others) for d, o in owned]
    return Dependencies(
        files=tuple(files),
        goal=asked.goal,
        weights=asked.weights,
        known=tuple(sorted((h for h in everybody if h.ranked), key=_risk)),
        unknown=tuple(sorted((h for h in everybody if not h.ranked), key=lambda h: h.dependency.name)),
    )


def _risk(health: Health) -> tuple[bool, float, str]:
    assert health.ranked is not None  # noqa: S101 - for the type checker
    return (not health.ranked.excluded, health.ranked.score or 0.0, health.dependency.name)


def _question(stores: Sequence[Store], request: Request) -> Question:
    domain = load_domain("dependencies")
    goal, weights = weights_of(domain, request)
    reaching = [s for s in stores if request.as_of is None or s.first_day <= request.as_of <= s.as_of]
    if not reaching:
        where = f"reach to {request.as_of}" if stores else "are there"
        raise InputError(f"no facts {where}; run `advisor collect --from FILE` first")
    files = [request.rules] if request.rules else rules_of(domain)
    units = {m.name: m.unit for m in METRICS.values()}
    return Question(
        domain=domain,
        store=reaching[0],
        as_of=request.as_of or reaching[0].as_of,
        goal=goal,
        weights=weights,
        ruleset=tuple(rule for file in files for rule in rules.load_rules(file, units)),
        candidates=(),
    )


def _categories() -> dict[str, list[tuple[str, Candidate]]]:
    """Repository → (title of the domain, candidate) of everybody else in a domain with it."""
    organisations = load_organisations()
    found: dict[str, list[tuple[str, Candidate]]] = {}
    # A domain that only widens another (finetuning-wide) says nothing new of who is alike.
    for name in available_domains():
        domain = load_domain(name)
        members = candidates(domain, organisations)
        for one in members:
            known = {c.repository for _, c in found.get(one.repository, ())}
            found.setdefault(one.repository, []).extend(
                (domain.title, c) for c in members if c is not one and c.repository not in known
            )
    return found


def _score(
    names: Sequence[str], stores: Sequence[Store], as_of: date | None, asked: Question
) -> tuple[dict[str, _Facts], dict[str, str]]:
    organisations = load_organisations()
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}
    entries = {
        c.repository: c for name in available_domains() for c in candidates(load_domain(name), organisations)
    }
    found: dict[str, _Facts] = {}
    damaged: dict[str, str] = {}
    for store in stores:
        if as_of is not None and not store.first_day <= as_of <= store.as_of:
            continue
        day = as_of or store.as_of
        # GitHub's names do not tell upper from lower case, and package files write either.
        spelt = {name.lower(): name for name in store.repositories()}
        here = {n: spelt[n.lower()] for n in names if n.lower() in spelt and n not in found}
        stored = sorted(set(here.values()))
        result = cache.kept(store, stored, day) or cache.fresh(store, stored, day)
        damaged |= {d.repository: str(d) for d in result.damages}
        for name, own in here.items():
            measured = result.measured.get(own)
            if not measured or not any(m.status == "measured" for m in measured.values()):
                continue
            candidate = entries.get(own) or candidate_of(own, owners)
            outlooks = result.outlooks[own]
            ranked = score_candidate(candidate, measured | _as_measurements(own, outlooks), asked)
            if ranked.score is None and not ranked.excluded:
                damaged[name] = next(m.reason for m in measured.values() if m.reason)
                continue
            found[name] = _Facts(replace(ranked, outlook=outlooks), day)
    return found, {n: why for n, why in damaged.items() if n not in found}


def _as_measurements(repository: str, outlooks: Iterable[Outlook]) -> dict[str, Measurement]:
    """The chances of inactivity as measurements, so that a criterion can weigh them."""
    found = {}
    for outlook in outlooks:
        name = f"inactive_in_{outlook.horizon_months}_months"
        if outlook.probability_inactive is None:
            found[name] = Measurement(repository, name, "unavailable", reason=outlook.reason)
        else:
            found[name] = Measurement(
                repository, name, "measured", outlook.probability_inactive, outlook.low, outlook.high,
                evidence_share=1.0, sources=("outlook",),
            )  # fmt: skip
    return found


def _health(
    dependency: Dependency,
    of: Origin | None,
    found: Mapping[str, _Facts],
    damaged: Mapping[str, str],
    others: Mapping[str, Sequence[tuple[str, Candidate]]],
) -> Health:
    if of is None:
        what = f"it comes from {dependency.local}" if dependency.local else "nothing says whose package it is"
        return Health(dependency, unknown=what)
    if of.repository not in found:
        why = damaged.get(of.repository, "there are no facts about it")
        return Health(dependency, of.repository, of.source, unknown=f"{of.repository}: {why}")
    mine = found[of.repository]
    return Health(
        dependency,
        of.repository,
        of.source,
        mine.ranked,
        mine.as_of,
        alternatives=tuple(_alternatives(of.repository, mine.ranked, found, others)),
    )


def _alternatives(
    repository: str,
    mine: Ranked,
    found: Mapping[str, _Facts],
    others: Mapping[str, Sequence[tuple[str, Candidate]]],
) -> list[Alternative]:
    better = []
    for category, candidate in others.get(repository, ()):
        facts_of_it = found.get(candidate.repository)
        if facts_of_it is None or facts_of_it.ranked.excluded or facts_of_it.ranked.score is None:
            continue
        if mine.excluded or facts_of_it.ranked.score > (mine.score or 0.0):
            score = facts_of_it.ranked.score
            name = candidate.package or candidate.name
            better.append(Alternative(name, candidate.repository, score, category))
    return sorted(better, key=lambda a: (-a.score, a.name))[:ALTERNATIVES]
