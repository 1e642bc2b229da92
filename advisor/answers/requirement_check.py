"""Hold candidates against what the user asked for, and say what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from advisor.decide import rules
from advisor.decide.requirements import (
    NAMES,
    ModelSupport,
    Requirements,
    memory_values,
    parameters_by_name,
    values_for,
)
from advisor.domain import files
from advisor.domain.capabilities import load_capabilities
from advisor.domain.families import Family, family_of, load_families
from advisor.facts.store import Store
from advisor.measure.one_day import connect
from advisor.model import Ranked, Recommendation

WORTH_SAYING = 0.05  # a smaller difference of utilities is no cost


def hold_against(
    ranked: Sequence[Ranked], needs: Requirements, capabilities: str, store: Store, as_of: date
) -> list[Ranked]:
    """The candidates with the findings of the requirement rules; who fails one is excluded.

    Args:
        ranked: candidates with their scores.
        needs: what was asked for.
        capabilities: name of the file of capabilities, the domain's or the one that it extends.
        store: the facts, for the models that the candidates support.
        as_of: what is not known by then is unknown.
    """
    ruleset = rules.load_rules(files.data_folder() / "rules" / "requirements.toml", NAMES)
    libraries = load_capabilities(capabilities)
    family = family_of(needs.model, load_families()) if needs.model else None
    names = [r.candidate.repository for r in ranked]
    support = _support(store, names, as_of, family) if family else {}
    held = []
    for r in ranked:
        library = libraries.get(r.candidate.repository)
        if library is not None and library.day > as_of:
            library = None
        asked = values_for(r.candidate, needs, library, support.get(r.candidate.repository))
        fired, _ = rules.judge(ruleset, {**rules.values_of(r.candidate, {}), **asked})
        held.append(
            replace(
                r,
                findings=(*r.findings, *fired),
                excluded=r.excluded or any(f.verdict == "exclude" for f in fired),
            )
        )
    return held


def preferred(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Those whose backer is of a kind that the user prefers, and that nothing excludes."""
    return [r for r in ranked if not r.excluded and any(f.rule == "backer-preferred" for f in r.findings)]


def what_it_costs(free: Recommendation, asked: Recommendation, needs: Requirements) -> tuple[str, ...]:
    """Sentences: what of it fits, what of it is not known, who dropped out, what the choice costs."""
    return (*_fits(needs), *_unknown(asked, needs), *_dropped(free, asked), *_cost(free, asked, needs))


def _fits(needs: Requirements) -> list[str]:
    found = memory_values(needs)
    if found.get("fits") != "yes":
        return []
    needed, there, shown = (found[f"memory_{k}"] for k in ("needed_gib", "there_gib", "evidence"))
    taken = f"{needed} of {there} GiB ({shown}); the rest comes on top"
    return [f"weights and optimizer of {needs.model} take {taken}"]


def _support(store: Store, names: list[str], as_of: date, family: Family) -> Mapping[str, ModelSupport]:
    with connect(store, names, as_of) as db:
        found = db.execute(
            "SELECT repository, min(supported_on) FILTER (removed_on IS NULL),"
            "       arg_min(route || ': ' || evidence_name || ' in ' || evidence_path || ' at '"
            "               || evidence_commit, supported_on) FILTER (removed_on IS NULL), max(removed_on)"
            " FROM model_support WHERE family = $1 AND route <> 'package' GROUP BY repository",
            [family.name],
        ).fetchall()
    return {
        name: ModelSupport(
            family.name,
            day,
            f"since {day} ({shown})" if day else f"given up on {gone}" if gone else f"not by {as_of}",
        )
        for name, day, shown, gone in found
    }


def _unknown(asked: Recommendation, needs: Requirements) -> list[str]:
    found = []
    fired = {r.candidate.name: {f.rule for f in r.findings} for r in asked.ranking}
    for wanted, what, told in (
        (needs.model, f"whether it serves {needs.model}", {"model-served", "model-not-served"}),
        (needs.method, f"whether it does {needs.method}", {"method-there", "method-missing"}),
        (
            needs.gpus is not None and needs.gpus > 1,
            f"whether it does {needs.method or 'that'} on {needs.gpus} GPUs",
            {"many-gpus", "one-gpu-only"},
        ),
        (needs.license, "its licence", {"licence-right", "licence-wrong"}),
    ):
        silent = [name for name, rule_ids in fired.items() if not rule_ids & told]
        if wanted and len(silent) == len(fired):
            found.append(f"not known of any candidate: {what}")
        elif wanted and silent:
            found.append(f"not known: {what}: {', '.join(silent)}")
    if needs.gpu_memory_gib is not None and not memory_values(needs):
        missing = [
            what
            for what, given in (
                ("a model whose name gives its size", needs.model and parameters_by_name(needs.model)),
                ("a method", needs.method),
            )
            if not given
        ]
        without = " and ".join(missing)
        found.append(f"whether it fits into {needs.gpu_memory_gib:g} GiB is not known without {without}")
    return found


def _dropped(free: Recommendation, asked: Recommendation) -> list[str]:
    before = {r.candidate.repository for r in free.ranking if r.excluded}
    return [
        f"{r.candidate.name} drops out: " + "; ".join(f.text for f in r.findings if f.verdict == "exclude")
        for r in asked.ranking
        if r.excluded and r.candidate.repository not in before
    ]


def _cost(free: Recommendation, asked: Recommendation, needs: Requirements) -> list[str]:
    if needs.prefer and asked.choice and not preferred([r for r in asked.ranking if r.rank is not None]):
        return [f"none of the candidates that are left is {' or '.join(needs.prefer)}: nothing is preferred"]
    if free.choice is None or asked.choice is None:
        return []
    if free.choice == asked.choice:
        return [f"it costs nothing: {_name(free.choice)} is recommended without it too"]
    ranked = {r.candidate.repository: r for r in free.ranking}
    theirs, ours = ranked[free.choice], ranked[asked.choice]
    parts = [
        f"{mine.criterion} {100 * (mine.utility - other.utility):+.0f}"
        for mine, other in zip(ours.criteria, theirs.criteria, strict=True)
        if mine.utility is not None and other.utility is not None
        and abs(mine.utility - other.utility) >= WORTH_SAYING
    ]  # fmt: skip
    high, low = theirs.score or 0, ours.score or 0
    return [
        f"it costs {high - low:.0f} points: without it {_name(free.choice)} ({high:.0f}) would be "
        f"recommended and not {_name(asked.choice)} ({low:.0f}): " + ", ".join(parts)
    ]


def _name(repository: str) -> str:
    return repository.split("/")[1]
