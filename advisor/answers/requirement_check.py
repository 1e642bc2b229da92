"""Check candidates against the user's requirements, and describe what the requirements cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from advisor.answers.question import Question
from advisor.answers.reasons import NOTABLE_DIFFERENCE
from advisor.decide import rules
from advisor.decide.requirements import (
    HARDWARE_NAMES,
    NAMES,
    ModelSupport,
    Requirements,
    fit_memory,
    requirement_values,
)
from advisor.decide.training_memory import PLAIN_BYTES, parse_parameters
from advisor.domain import files
from advisor.domain.capabilities import Library, load_capabilities
from advisor.domain.families import Family, load_families
from advisor.domain.model_names import find_family, find_near_names
from advisor.errors import InputError
from advisor.facts.database import fetch_rows, quote
from advisor.facts.facts_view import FactsView
from advisor.model import Ranked, Recommendation, ScoredCandidate


@dataclass(frozen=True)
class RequiredModel:
    """The model that the user requires.

    Attributes:
        family: None if it is not a tracked one; ``near_names`` are then the names that look like it.
        billions: parameters; None if neither the name nor model_families.toml says them.
    """

    name: str
    family: Family | None
    near_names: tuple[str, ...]
    billions: float | None


def read_model(requirements: Requirements) -> RequiredModel | None:
    """Return the required model; None if the user requires none.

    Raises:
        InputError: the name can mean several families.
    """
    if requirements.model is None:
        return None
    name, families = requirements.model, load_families()
    family = find_family(name, families)
    near_names = () if family else tuple(find_near_names(name, families))
    billions = family.find_billions(name) if family else None
    return RequiredModel(name, family, near_names, billions or parse_parameters(name))


def check_requirements(question: Question, candidates: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    """Add the findings of the requirement rules; a candidate that fails one is excluded.

    A capability that was read after the as-of date of the question counts as unknown.

    Raises:
        InputError: the name of the model can mean several families, or a requirement about training has no
            meaning in this domain.
    """
    requirements = question.requirements
    ruleset = rules.load_rules(files.data_folder() / "rules" / "requirements.toml", NAMES)
    libraries = load_capabilities()
    _check_domain(question, {c.repository for c in candidates} & libraries.keys())
    model = read_model(requirements)
    family = model.family if model else None
    support = _read_support(question.facts.select(c.repository for c in candidates), family) if family else {}
    results = []
    for candidate in candidates:
        library = _library_on(libraries.get(candidate.repository), question.as_of)
        values = {
            **rules.rule_values(candidate.candidate, {}),
            **requirement_values(
                candidate.candidate,
                requirements,
                library,
                support.get(candidate.repository),
                model.billions if model else None,
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


def _library_on(library: Library | None, day: date) -> Library | None:
    return library if library is not None and library.day <= day else None


def _check_domain(question: Question, trainers: Collection[str]) -> None:
    """Refuse requirements about training where no candidate is known to train models."""
    requirements = question.requirements
    options = {
        "--model": requirements.model, "--method": requirements.method, "--hardware": requirements.hardware,
        "--gpu-memory": requirements.gpu_memory_gib, "--gpus": requirements.gpus,
    }  # fmt: skip
    names = [option for option, value in options.items() if value is not None]
    if not names or trainers:
        return
    if names == ["--model"] and any(c.name == "models" for c in question.domain.criteria):
        return  # a domain of the user's own, whose store can hold model support
    raise InputError(
        f"{' and '.join(names)} cannot be used with the domain {question.domain.name}: no candidate in it is "
        "known to train models; leave the option out, or choose --domain finetuning"
    )


def find_favourites(candidates: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    """Return the candidates whose kind of backer the user prefers, without the excluded ones."""
    return [c for c in candidates if not c.excluded and any(f.rule == "backer-preferred" for f in c.findings)]


def describe_costs(
    baseline: Recommendation, recommendation: Recommendation, requirements: Requirements
) -> tuple[str, ...]:
    """Describe the requirements in sentences: what fits, what is unknown, who is excluded, what it costs.

    Args:
        baseline: the recommendation without the requirements.
        recommendation: the recommendation with them; ``open_questions`` is set.
        requirements: what the library must do.
    """
    return (
        *_memory_notes(requirements),
        *_model_notes(requirements),
        *_unknown_notes(recommendation, requirements),
        *_exclusion_notes(baseline, recommendation),
        *_cost_notes(baseline, recommendation, requirements),
    )


def list_open_questions(choice: Ranked | None, requirements: Requirements) -> tuple[str, ...]:
    """Return the requirements of which nobody knows whether the recommended candidate meets them."""
    if choice is None:
        return ()
    subjects = [subject for subject, deciding in _subjects(requirements) if not _rules_of(choice) & deciding]
    fit = [f"whether {_need_for_memory(requirements)}"] if "unknown-memory" in _rules_of(choice) else []
    return (*subjects, *fit, *_missing_for_memory(requirements))


def _need_for_memory(requirements: Requirements) -> str:
    gpus = f"{requirements.gpus} GPUs of " if (requirements.gpus or 1) > 1 else ""
    return f"{requirements.model} fits into {gpus}{requirements.gpu_memory_gib:g} GiB"


def _subjects(requirements: Requirements) -> list[tuple[str, set[str]]]:
    """Return what each requirement is about, and the rules that decide it."""
    gpus = requirements.gpus
    hardware = HARDWARE_NAMES.get(requirements.hardware or "")
    subjects = (
        (
            requirements.model,
            f"{requirements.model} support",
            {"model-served", "model-loaded", "model-not-served"},
        ),
        (requirements.method, f"{requirements.method} support", {"method-there", "method-missing"}),
        (hardware, f"training on {hardware}", {"hardware-there", "hardware-missing"}),
        (
            gpus is not None and gpus > 1,
            f"{requirements.method or 'training'} on {gpus} GPUs",
            {"many-gpus", "one-gpu-only"},
        ),
        (requirements.license, "the licence", {"licence-right", "licence-wrong"}),
    )
    return [(subject, deciding) for is_required, subject, deciding in subjects if is_required]


def _rules_of(candidate: ScoredCandidate) -> set[str]:
    return {f.rule for f in candidate.findings}


def _read_support(facts: FactsView, family: Family) -> Mapping[str, ModelSupport]:
    """Read the support of each library; of one that can load the weights' own code it stays unknown."""
    result = facts.connection.execute(
        "SELECT repository, min(supported_on) FILTER (removed_on IS NULL),"
        "       arg_min(route || ': ' || evidence_name || ' in ' || evidence_path || ' at '"
        "               || evidence_commit, supported_on) FILTER (removed_on IS NULL), max(removed_on),"
        "       coalesce(bool_or(route IN ('main', 'shown')) FILTER (supported_on IS NOT NULL"
        "               AND removed_on IS NULL), false), bool_or(route = 'transformers')"
        f" FROM model_support WHERE family = {quote(family.name)} AND route <> 'package' GROUP BY repository"
    )
    return {
        name: ModelSupport(family.name, day, _support_text(facts, day, evidence, end), not is_named)
        for name, day, evidence, end, is_named, loads_anything in fetch_rows(result)
        if day or not (loads_anything and family.architecture is None)
    }


def _support_text(facts: FactsView, day: date | None, evidence: str | None, end: date | None) -> str:
    if day:
        return f"since {day} ({evidence})"
    return f"removed on {end}" if end else f"not by {facts.as_of}"


def _memory_notes(requirements: Requirements) -> list[str]:
    model = read_model(requirements)
    values = fit_memory(requirements, model.billions if model else None)
    if values.get("fits") != "yes":
        return []
    need, memory, evidence = (values[f"memory_{k}"] for k in ("needed_gib", "there_gib", "evidence"))
    amount = f"{need} of {memory} GiB ({evidence})"
    return [
        f"weights and optimizer of {requirements.model} need {amount}; activations and adapters need more"
    ]


def _model_notes(requirements: Requirements) -> list[str]:
    model = read_model(requirements)
    if model is None:
        return []
    if model.family is None:
        near = f"; names that look like it: {', '.join(model.near_names)}" if model.near_names else ""
        return [f"{model.name} is not a model of a tracked family, so its support was not checked{near}"]
    if model.family.architecture is None:
        name = model.family.name
        return [f"the weights of {name} bring their own code: a library that loads any model may train them"]
    return []


def _unknown_notes(recommendation: Recommendation, requirements: Requirements) -> list[str]:
    notes = []
    ranking = recommendation.ranking
    for subject, deciding in _subjects(requirements):
        names = [r.candidate.name for r in ranking if not _rules_of(r) & deciding]
        if names:
            whose = "any candidate" if len(names) == len(ranking) else ", ".join(names)
            notes.append(f"no data on {subject} for {whose}")
    unknown, known = (
        ", ".join(r.candidate.name for r in ranking if rule in _rules_of(r) and not r.excluded)
        for rule in ("unknown-memory", "tight-memory")
    )
    if unknown:
        others = f"; {known} can keep less on the GPUs" if known else ""
        notes.append(f"no data on whether {_need_for_memory(requirements)} for {unknown}{others}")
    return notes + _missing_for_memory(requirements)


def _missing_for_memory(requirements: Requirements) -> list[str]:
    """Return why the memory cannot be checked; [] if it can, or need not be."""
    model = read_model(requirements)
    billions = model.billions if model else None
    if requirements.gpu_memory_gib is None or fit_memory(requirements, billions):
        return []
    missing = []
    if billions is None:
        missing.append("a model whose size is known")
    if requirements.method not in PLAIN_BYTES:
        missing.append(f"one of the methods {', '.join(PLAIN_BYTES)}")
    memory = f"{requirements.gpu_memory_gib:g} GiB"
    return [f"cannot check whether it fits into {memory}: name {' and '.join(missing)}"]


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
        if recommendation.open_questions:
            return []  # what is not known can still cost something
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
