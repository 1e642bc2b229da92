"""Scores repositories from the first store that has facts about them, and from public lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.details import (
    Deprecations,
    Details,
    read_deprecations,
    read_details,
)
from advisor.answers.dependencies.indexes import is_public
from advisor.answers.list_figures import choose_outlooks, fill_gaps, has_history
from advisor.answers.question import Question
from advisor.answers.reasons import describe_gap
from advisor.answers.recommend import score_candidate
from advisor.decide import rules
from advisor.decide.requirements import NAMES, Requirements, requirement_values
from advisor.domain.files import data_folder
from advisor.domain.licences import kind_of_licence
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.measure import months
from advisor.model import Candidate, Measurement, Outlook, ScoredCandidate
from advisor.outlook.measurements import measure_outlooks
from advisor.population.figures import read_figures
from advisor.population.reading import read_libraries


@dataclass(frozen=True)
class Score:
    """The score of a repository and its date."""

    candidate: ScoredCandidate
    as_of: date


@dataclass(frozen=True)
class Scores:
    """The facts about repositories.

    Attributes:
        scores: repository → its score.
        problems: repository → why it has none.
        details: repository → licence, downloads and the like.
        withdrawals: repository → (package, version) → whether the index withdrew it.
        deprecations: why authors advise against versions, as far as an index says it.
    """

    scores: Mapping[str, Score]
    problems: Mapping[str, str]
    details: Mapping[str, Details]
    withdrawals: Mapping[str, Mapping[tuple[str, str], bool]]
    deprecations: Deprecations

    def describe(self, repository: str, dependency: Dependency) -> Details:
        """Return the facts about a package of a repository."""
        versions = self.withdrawals.get(repository, {})
        message = dependency.deprecation
        if message is None and is_public(dependency):
            key = (repository, dependency.ecosystem, dependency.name, dependency.version)
            message = self.deprecations.get(key)
        return replace(
            self.details.get(repository, Details()),
            is_yanked=versions.get((dependency.name, dependency.version or "")),
            download_bytes=dependency.size_bytes,
            deprecation=message or "",
        )


@dataclass(frozen=True)
class _Facts:
    """The facts about a repository: measurements, outlooks, the day, and what else is known."""

    repository: str
    measurements: Mapping[str, Measurement]
    outlooks: tuple[Outlook, ...]
    as_of: date
    details: Details = field(default_factory=Details)
    withdrawals: Mapping[tuple[str, str], bool] = field(default_factory=dict)


def score_repositories(
    names: Sequence[str],
    stores: Sequence[Store],
    as_of: date | None,
    question: Question,
    find_entry: Callable[[str], Candidate],
) -> Scores:
    """Return the scores of repositories, why the others have none, and what else is known about all."""
    known, problems = _measure_repositories(names, stores, as_of)
    known = _add_list_figures(names, known, as_of)
    ruleset = None
    if question.requirements:
        ruleset = rules.load_rules(data_folder() / "rules" / "requirements.toml", NAMES)
    scores: dict[str, Score] = {}
    details: dict[str, Details] = {}
    for name, facts in known.items():
        of_outlook = measure_outlooks(facts.repository, facts.outlooks, facts.measurements)
        measurements = {**facts.measurements, **of_outlook}
        candidate = score_candidate(find_entry(facts.repository), measurements, question)
        if ruleset is not None:
            candidate = _require(candidate, question.requirements, ruleset, facts.details)
        details[name] = replace(
            facts.details,
            downloads=_whole(measurements.get("downloads")),
            advisories=_whole(measurements.get("open_advisories")),
        )
        if candidate.score is None and not candidate.excluded:
            problems[name] = _describe_problem(candidate)
            continue
        scores[name] = Score(replace(candidate, outlook=facts.outlooks), facts.as_of)
    problems = {name: reason for name, reason in problems.items() if name not in scores}
    withdrawals = {name: facts.withdrawals for name, facts in known.items()}
    return Scores(scores, problems, details, withdrawals, _read_deprecations(names, stores, as_of))


def _read_deprecations(names: Sequence[str], stores: Sequence[Store], as_of: date | None) -> Deprecations:
    """Return the deprecated versions that any store knows, by the given names of repositories."""
    result: Deprecations = {}
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(name.lower(), []).append(name)
    for store in reversed(stores):
        own = sorted(name for name in store.repositories() if name.lower() in spellings)
        rows = read_deprecations(store, own, as_of or date.max)
        for (repository, ecosystem, package, version), message in rows.items():
            for name in spellings[repository.lower()]:
                result[name, ecosystem, package, version] = message
    return result


def _require(
    candidate: ScoredCandidate, requirements: Requirements, ruleset: tuple[rules.Rule, ...], details: Details
) -> ScoredCandidate:
    """Add the findings about licence and backer; a package that fails one is excluded."""
    values = {
        **rules.rule_values(candidate.candidate, {}),
        **requirement_values(candidate.candidate, requirements, None, None),
    }
    if requirements.license and details.licence and (kind := kind_of_licence(details.licence)):
        values |= {"licence": kind, "licence_evidence": f"{details.licence} ({details.licence_source})"}
    findings, _ = rules.apply_rules(ruleset, values)
    return replace(
        candidate,
        findings=(*candidate.findings, *findings),
        excluded=candidate.excluded or any(f.verdict == "exclude" for f in findings),
    )


def _whole(measurement: Measurement | None) -> int | None:
    value = measurement.value if measurement else None
    return None if value is None or isinstance(value, str) else round(value)


def _describe_problem(candidate: ScoredCandidate) -> str:
    """Return why a candidate has no score, with what the rules know of it."""
    if candidate.coverage == 0:
        return next((m.reason for m in candidate.measurements if m.reason), "there are no facts about it")
    warnings = [f.text for f in candidate.findings if f.verdict == "warn"]
    return "; ".join([describe_gap(candidate), *warnings])


def _measure_repositories(
    names: Sequence[str], stores: Sequence[Store], as_of: date | None
) -> tuple[dict[str, _Facts], dict[str, str]]:
    """Return what the first store that has it knows about each repository, and the problems of the others."""
    known: dict[str, _Facts] = {}
    problems: dict[str, str] = {}
    for store in stores:
        if as_of is not None and not store.first_day <= as_of <= store.as_of:
            continue
        day = as_of or store.as_of
        # GitHub ignores the case of names, and package files use any.
        spellings = {name.lower(): name for name in store.repositories()}
        names_in_store = {n: spellings[n.lower()] for n in names if n.lower() in spellings and n not in known}
        if not names_in_store:
            continue
        facts = FactsView(store, tuple(sorted(set(names_in_store.values()))), day)
        result = months.measure(facts)
        details, withdrawals = read_details(store, sorted(set(names_in_store.values())), day)
        problems |= {d.repository: str(d) for d in result.damages}
        for name, own in names_in_store.items():
            measurements = result.measurements.get(own)
            if measurements and any(m.status == "measured" for m in measurements.values()):
                known[name] = _Facts(
                    own,
                    measurements,
                    result.outlooks[own],
                    day,
                    details.get(own, Details()),
                    withdrawals.get(own, {}),
                )
    return known, problems


def _add_list_figures(
    names: Sequence[str], known: Mapping[str, _Facts], as_of: date | None
) -> dict[str, _Facts]:
    """Fill gaps with the figures of public lists; without a date in the request, those of any age."""
    result = dict(known)
    libraries = read_libraries(names)
    for name, figures in read_figures(names).items():
        if as_of is not None and not figures.is_usable_on(as_of):
            continue
        facts = known.get(name)
        own_rows = facts.measurements if facts else None
        if facts is None:
            facts = _Facts(name, {}, (), figures.day)
        rows = fill_gaps(facts.repository, own_rows, figures)
        outlooks = choose_outlooks(own_rows, facts.outlooks, figures)
        day = facts.as_of if has_history(own_rows) else figures.day
        details = facts.details
        if library := libraries.get(name.lower()):
            if details.licence is None and library.licence:
                source = f"public list, {library.day}"
                details = replace(details, licence=library.licence, licence_source=source)
            details = replace(details, dependents=library.dependents)
        result[name] = replace(facts, measurements=rows, outlooks=outlooks, as_of=day, details=details)
    return result
