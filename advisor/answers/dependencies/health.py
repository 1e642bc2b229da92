"""Ranks the dependencies of a project by health, the riskiest first.

Health is a score from 0 to 100 on the fixed scales of ``data/domains/dependencies.toml``. It does not depend
on the other packages. A package without a score stays in the answer, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.details import Details
from advisor.answers.dependencies.packages import Origin, find_origin, read_origins
from advisor.answers.dependencies.public_lists import Pair, find_listed_origins, find_neighbours
from advisor.answers.dependencies.scores import Score, Scores, score_repositories
from advisor.answers.question import Question, Request, read_rules, weights_of
from advisor.domain.domain import Domain, available_domains, candidate_of, load_domain, read_candidates
from advisor.domain.files import data_folder
from advisor.domain.organisations import Organisation, load_organisations
from advisor.domain.reliability import Band, band_of, read_bands
from advisor.errors import InputError
from advisor.facts import reading
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.model import Candidate, ScoredCandidate
from advisor.population.figures import rests_on_lists
from advisor.population.reading import read_libraries

ALTERNATIVES = 3
"""Number of alternatives that a package gets at most."""


@dataclass(frozen=True)
class Alternative:
    """A healthier package for the same purpose.

    Attributes:
        category: title of the domain, or of the category of a public list, that has both packages.
    """

    name: str
    repository: str
    score: float
    category: str


@dataclass(frozen=True)
class Exemption:
    """A package that passes the gate although it would fail.

    Attributes:
        reason: why it passes.
        expires: last day on which it does; None: there is no end.
    """

    package: str
    reason: str
    expires: date | None = None

    def is_over(self, day: date) -> bool:
        """Return whether it holds no more on a day."""
        return self.expires is not None and day > self.expires


@dataclass(frozen=True)
class Health:
    """A dependency and its health.

    Attributes:
        repository: ``owner/name``; None: the repository of the package is unknown.
        origin: source of the repository.
        is_claim: whether only the package itself names the repository.
        ranked: score, findings and measurements; None: there is no score.
        as_of: date of the score.
        unknown: why there is no score; else empty.
        alternatives: healthier packages for the same purpose, the healthiest first.
        exemption: why the package passes the gate in any case; None: it does not.
        details: licence, downloads, dependents and the like.
        importing_files: number of files of the project that import the package; None: unknown.
    """

    dependency: Dependency
    repository: str | None = None
    origin: str = ""
    ranked: ScoredCandidate | None = None
    as_of: date | None = None
    unknown: str = ""
    alternatives: tuple[Alternative, ...] = ()
    is_claim: bool = False
    exemption: Exemption | None = None
    details: Details = field(default_factory=Details)
    importing_files: int | None = None

    @property
    def score(self) -> float | None:
        """0 to 100; None: there is no score."""
        return self.ranked.score if self.ranked else None

    @property
    def band(self) -> Band | None:
        """How many packages with such a score were abandoned; None if it is excluded or has no score."""
        if self.ranked is None or self.ranked.excluded or self.ranked.score is None:
            return None
        return band_of(self.ranked.score, read_bands())

    @property
    def rests_on_lists(self) -> bool:
        """Whether all that is measured comes from public lists."""
        return self.ranked is not None and rests_on_lists(self.ranked.measurements)

    def is_below(self, score: float, *, certainly: bool = False) -> bool:
        """Return whether the package fails: a rule excludes it, or its score is below this one.

        Args:
            score: lowest score that passes.
            certainly: whether its highest possible score must be below it.
        """
        if self.ranked is None or self.exemption is not None:
            return False
        own = self.ranked.high if certainly else self.ranked.score or 0.0
        return self.ranked.excluded or own < score


@dataclass(frozen=True)
class Dependencies:
    """The answer.

    Attributes:
        known: packages with a score, the riskiest first.
        unknown: the others, by name.
        notes: what was left out, and exemptions that have no effect, in sentences.
        problems: why the answer fails the gate apart from scores, in sentences.
        is_certain: whether only those packages fail whose highest possible score is too low.
        fails_unknown: whether a package without a score fails.
    """

    files: tuple[str, ...]
    goal: str
    weights: Mapping[str, float]
    known: tuple[Health, ...]
    unknown: tuple[Health, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    is_certain: bool = False
    fails_unknown: bool = False


def open_stores(paths: Iterable[Path]) -> list[Store]:
    """Open the stores at these paths, in order; skip a path without a store."""
    stores = []
    for path in paths:
        if (path / "manifest.json").exists():
            stores.append(reading.open_store(path, may_lack_days=True))
    return stores


def bundled_stores() -> list[Path]:
    """Return the paths of the bundled snapshots."""
    return sorted(p.parent for p in (data_folder() / "snapshots").glob("*/manifest.json"))


def rank_dependencies(
    dependencies: Sequence[Dependency], stores: Sequence[Store], request: Request, files: Sequence[str] = ()
) -> Dependencies:
    """Score each dependency, and list those without a score.

    Args:
        dependencies: packages to score.
        stores: facts; the first store with facts about a repository counts.
        request: goal, weights, rules, as-of date, licence and backers; other fields are ignored.
        files: files of the dependencies.

    Raises:
        InputError: the request has an unknown name, or no store has facts of its date.
    """
    origins = read_origins(stores)
    stores = [s for s in stores if s.manifest.get("as_of")]
    domains = {name: load_domain(name) for name in available_domains()}
    organisations = load_organisations()
    question = _question(stores, request, domains["dependencies"])
    pairs = [(d, find_origin(d, origins)) for d in dependencies]
    pairs = _follow_renames(find_listed_origins(pairs), domains.values(), organisations)
    others = _other_candidates(domains.values(), organisations)
    entries = {c.repository: c for d in domains.values() for c in read_candidates(d, organisations)}
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}

    def find_entry(repository: str) -> Candidate:
        return entries.get(repository) or candidate_of(repository, owners)

    names = {o.repository for _, o in pairs if o}
    # The categories of public lists are wider than a domain, so they stand in only where there is no domain.
    for repository, neighbours in find_neighbours(names - others.keys()).items():
        entries_of_lists = {n: (category, find_entry(n)) for category, n in neighbours}
        others[repository] = list(entries_of_lists.values())
    names |= {c.repository for name in names for _, c in others.get(name, ())}
    results = score_repositories(sorted(names), stores, request.as_of, question, find_entry)
    packages = [_health(d, o, results, others) for d, o in pairs]
    return Dependencies(
        files=tuple(files),
        goal=question.goal,
        weights=question.weights,
        known=tuple(sorted((h for h in packages if h.ranked), key=_risk)),
        unknown=tuple(sorted((h for h in packages if not h.ranked), key=lambda h: h.dependency.name)),
    )


def _follow_renames(
    pairs: Sequence[Pair], domains: Iterable[Domain], organisations: Mapping[str, Organisation]
) -> list[Pair]:
    """Return the packages with the names that their repositories have now; files keep old ones for years."""
    libraries = read_libraries(origin.repository for _, origin in pairs if origin)
    names = {earlier: library.repository for earlier, library in libraries.items()}
    for domain in domains:
        for candidate in read_candidates(domain, organisations):
            names |= {name.lower(): candidate.repository for name in candidate.formerly}
    result: list[Pair] = []
    for dependency, origin in pairs:
        now = names.get(origin.repository.lower(), "") if origin else ""
        if origin and now and now.lower() != origin.repository.lower():
            origin = origin._replace(repository=now)  # noqa: PLW2901 - the pair as it is now
        result.append((dependency, origin))
    return result


def _risk(health: Health) -> tuple[bool, float, str]:
    assert health.ranked is not None  # noqa: S101 - for the type checker
    return (not health.ranked.excluded, health.ranked.score or 0.0, health.dependency.name)


def _question(stores: Sequence[Store], request: Request, domain: Domain) -> Question:
    goal, weights = weights_of(domain, request)
    suitable_stores = [s for s in stores if request.as_of is None or s.first_day <= request.as_of <= s.as_of]
    if not suitable_stores:
        scope = f" for {request.as_of}" if stores else ""
        raise InputError(f"no facts{scope}: run `advisor collect --from FILE` first")
    return Question(
        domain=domain,
        facts=FactsView(suitable_stores[0], (), request.as_of or suitable_stores[0].as_of),
        goal=goal,
        weights=weights,
        ruleset=read_rules(domain, request),
        candidates=(),
        requirements=request.requirements,
    )


def _other_candidates(
    domains: Iterable[Domain], organisations: Mapping[str, Organisation]
) -> dict[str, list[tuple[str, Candidate]]]:
    """Return repository → (title of the domain, candidate) of the other candidates of its domains."""
    others: dict[str, list[tuple[str, Candidate]]] = {}
    # A domain that extends another (finetuning-wide) must not repeat its candidates.
    for domain in domains:
        members = read_candidates(domain, organisations)
        for one in members:
            earlier = {c.repository for _, c in others.get(one.repository, ())}
            others.setdefault(one.repository, []).extend(
                (domain.title, c) for c in members if c is not one and c.repository not in earlier
            )
    return others


def _health(
    dependency: Dependency,
    origin: Origin | None,
    results: Scores,
    others: Mapping[str, Sequence[tuple[str, Candidate]]],
) -> Health:
    if origin is None:
        reason = f"it comes from {dependency.local}" if dependency.local else "its repository is not known"
        own = Details(download_bytes=dependency.size_bytes, deprecation=dependency.deprecation or "")
        return Health(dependency, unknown=reason, details=own)
    repository, scores = origin.repository, results.scores
    details = results.describe(repository, dependency)
    if repository not in scores:
        reason = results.problems.get(repository, "there are no facts about it")
        return Health(
            dependency, repository, origin.source, unknown=f"{repository}: {reason}",
            is_claim=origin.is_claim, details=details,
        )  # fmt: skip
    score = scores[repository]
    return Health(
        dependency,
        repository,
        origin.source,
        score.candidate,
        score.as_of,
        alternatives=tuple(_alternatives(score.candidate, scores, others.get(repository, ()))),
        is_claim=origin.is_claim,
        details=details,
    )


def _alternatives(
    candidate: ScoredCandidate, scores: Mapping[str, Score], others: Sequence[tuple[str, Candidate]]
) -> list[Alternative]:
    alternatives = []
    for category, other in others:
        if other.repository not in scores:
            continue
        rival = scores[other.repository].candidate
        if rival.excluded or rival.score is None:
            continue
        if candidate.excluded or rival.score > (candidate.score or 0.0):
            name = other.package or other.name
            alternatives.append(Alternative(name, other.repository, rival.score, category))
    return sorted(alternatives, key=lambda a: (-a.score, a.name))[:ALTERNATIVES]
