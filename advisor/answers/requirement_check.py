"""Check candidates against the user's requirements, and describe what the requirements cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from advisor.answers.question import Question
from advisor.answers.reasons import NOTABLE_DIFFERENCE
from advisor.decide import rules
from advisor.decide.requirements import (
    NAMES,
    ModelSupport,
    Requirements,
    compute_memory,
    parse_parameters,
    requirement_values,
)
from advisor.domain import files
from advisor.domain.capabilities import load_capabilities
from advisor.domain.families import Family, family_of, load_families
from advisor.facts.facts_view import FactsView
from advisor.model import Recommendation, ScoredCandidate


def check_requirements(question: Question, candidates: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    """Add the findings of the requirement rules; a candidate that fails one is excluded.

    A capability that was read after the as-of date of the question counts as unknown.
    """
    requirements = question.requirements
    ruleset = rules.load_rules(files.data_folder() / "rules" / "requirements.toml", NAMES)
    libraries = load_capabilities(question.domain.snapshot)
    family = family_of(requirements.model, load_families()) if requirements.model else None
    support = _read_support(question.facts.select(c.repository for c in candidates), family) if family else {}
    results = []
    for candidate in candidates:
        library = libraries.get(candidate.repository)
        if library is not None and library.day > question.as_of:
            library = None
        values = {
            **rules.rule_values(candidate.candidate, {}),
            **requirement_values(
                candidate.candidate, requirements, library, support.get(candidate.repository)
            ),
        }
        findings, _ = rules.apply_rules(ruleset, values)
        results.append(
            replace(
                candidate,
                findings=(*candidate.findings, *findings),
                excluded=candidate.excluded or any(f.verdict == "exclude" for f in findings),
            )
        )
    return results


def find_favourites(candidates: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    """Return the candidates whose kind of backer the user prefers, without the excluded ones."""
    return [c for c in candidates if not c.excluded and any(f.rule == "backer-preferred" for f in c.findings)]


def describe_costs(
    baseline: Recommendation, recommendation: Recommendation, requirements: Requirements
) -> tuple[str, ...]:
    """Describe the requirements in sentences: what fits, what is unknown, who is excluded, what it costs.

    Args:
        baseline: the recommendation without the requirements.
        recommendation: the recommendation with them.
        requirements: what the library must do.
    """
    return (
        *_memory_notes(requirements),
        *_unknown_notes(recommendation, requirements),
        *_exclusion_notes(baseline, recommendation),
        *_cost_notes(baseline, recommendation, requirements),
    )


def _read_support(facts: FactsView, family: Family) -> Mapping[str, ModelSupport]:
    rows = facts.connection.execute(
        "SELECT repository, min(supported_on) FILTER (removed_on IS NULL),"
        "       arg_min(route || ': ' || evidence_name || ' in ' || evidence_path || ' at '"
        "               || evidence_commit, supported_on) FILTER (removed_on IS NULL), max(removed_on)"
        " FROM model_support WHERE family = $1 AND route <> 'package' GROUP BY repository",
        [family.name],
    ).fetchall()
    return {
        name: ModelSupport(family.name, day, _support_text(facts, day, evidence, end))
        for name, day, evidence, end in rows
    }


def _support_text(facts: FactsView, day: date | None, evidence: str | None, end: date | None) -> str:
    if day:
        return f"since {day} ({evidence})"
    return f"removed on {end}" if end else f"not by {facts.as_of}"


def _memory_notes(requirements: Requirements) -> list[str]:
    values = compute_memory(requirements)
    if values.get("fits") != "yes":
        return []
    need, memory, evidence = (values[f"memory_{k}"] for k in ("needed_gib", "there_gib", "evidence"))
    amount = f"{need} of {memory} GiB ({evidence})"
    return [
        f"weights and optimizer of {requirements.model} need {amount}; activations and adapters need more"
    ]


def _unknown_notes(recommendation: Recommendation, requirements: Requirements) -> list[str]:
    notes = []
    rule_ids = {r.candidate.name: {f.rule for f in r.findings} for r in recommendation.ranking}
    for is_required, subject, deciding_rules in (
        (requirements.model, f"{requirements.model} support", {"model-served", "model-not-served"}),
        (requirements.method, f"{requirements.method} support", {"method-there", "method-missing"}),
        (
            requirements.gpus is not None and requirements.gpus > 1,
            f"{requirements.method or 'training'} on {requirements.gpus} GPUs",
            {"many-gpus", "one-gpu-only"},
        ),
        (requirements.license, "the licence", {"licence-right", "licence-wrong"}),
    ):
        names = [name for name, ids in rule_ids.items() if not ids & deciding_rules]
        if is_required and names:
            whose = "any candidate" if len(names) == len(rule_ids) else ", ".join(names)
            notes.append(f"no data on {subject} for {whose}")
    if requirements.gpu_memory_gib is not None and not compute_memory(requirements):
        missing = []
        if not (requirements.model and parse_parameters(requirements.model)):
            missing.append("a model whose name contains its size")
        if not requirements.method:
            missing.append("a method")
        memory = f"{requirements.gpu_memory_gib:g} GiB"
        notes.append(f"cannot check whether it fits into {memory}: name {' and '.join(missing)}")
    return notes


def _exclusion_notes(baseline: Recommendation, recommendation: Recommendation) -> list[str]:
    excluded_before = {r.repository for r in baseline.ranking if r.excluded}
    return [
        f"{r.candidate.name} is excluded: " + "; ".join(f.text for f in r.findings if f.verdict == "exclude")
        for r in recommendation.ranking
        if r.excluded and r.repository not in excluded_before
    ]


def _cost_notes(
    baseline: Recommendation, recommendation: Recommendation, requirements: Requirements
) -> list[str]:
    contenders = [r for r in recommendation.ranking if r.rank is not None]
    if requirements.prefer and recommendation.choice and not find_favourites(contenders):
        kinds = " or ".join(requirements.prefer)
        return [f"no remaining candidate has a backer of the kind {kinds}: the preference changes nothing"]
    if baseline.choice is None or recommendation.choice is None:
        return []
    before, after = _short_name(baseline.choice), _short_name(recommendation.choice)
    if baseline.choice == recommendation.choice:
        return [f"the requirements cost nothing: {before} is recommended without them too"]
    ranking = {r.repository: r for r in baseline.ranking}
    theirs, ours = ranking[baseline.choice], ranking[recommendation.choice]
    parts = [
        f"{mine.criterion} {100 * (mine.utility - other.utility):+.0f}"
        for mine, other in zip(ours.criteria, theirs.criteria, strict=True)
        if abs(mine.utility - other.utility) >= NOTABLE_DIFFERENCE
    ]
    high, low = theirs.score or 0, ours.score or 0
    note = (
        f"the requirements cost {high - low:.0f} points: without them {before} ({high:.0f}) would be "
        f"recommended instead of {after} ({low:.0f})"
    )
    return [f"{note}; {after} against {before}: {', '.join(parts)}" if parts else note]


def _short_name(repository: str) -> str:
    return repository.split("/")[1]
