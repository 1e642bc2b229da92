"""The domains and the categories of public lists as text or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import assert_never

from advisor.answers.libraries import NamedCategory
from advisor.domain.domain import Domain, Goal
from advisor.report.formats import DomainsFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import PLAIN_WIDTH, text_table
from advisor.report.values import metric_label


@dataclass(frozen=True)
class DomainEntry:
    """A domain as the JSON shows it: goals by name with their titles, candidates and rivals as owner/name."""

    name: str
    title: str
    question: str
    default: str | None
    goals: Mapping[str, str]
    candidates: tuple[str, ...]
    rivals: tuple[str, ...]


@dataclass(frozen=True)
class DomainsReport:
    """The domains and the categories of public lists."""

    domains: tuple[DomainEntry, ...]
    categories: tuple[NamedCategory, ...]


@dataclass(frozen=True)
class NeedEntry:
    """What a goal needs of a candidate: a metric, and its lowest value."""

    metric: str
    at_least: float


@dataclass(frozen=True)
class GoalEntry:
    """A goal as the JSON shows it: criterion → weight, and what it needs."""

    title: str
    weights: Mapping[str, float]
    needs: tuple[NeedEntry, ...]


@dataclass(frozen=True)
class GoalsReport:
    """The goals of a domain by name."""

    domain: str
    default: str
    goals: Mapping[str, GoalEntry]


def render(
    domains: Sequence[Domain],
    categories: Sequence[NamedCategory],
    output_format: DomainsFormat,
    width: int = PLAIN_WIDTH,
) -> str:
    """Return the list in a format; JSON also has the candidates of each domain."""
    match output_format:
        case Format.table:
            return _text(domains, categories, width)
        case Format.json:
            report = DomainsReport(tuple(map(_entry, domains)), tuple(categories))
            return write_json("domains", asdict(report))
        case _:
            assert_never(output_format)


def _text(domains: Sequence[Domain], categories: Sequence[NamedCategory], width: int) -> str:
    lines: list[str] = []
    if domains:
        rows = [
            [d.name, d.title, str(len(d.candidates) + len(d.rivals) or "yours"), ", ".join(d.goals)]
            for d in domains
        ]
        lines += text_table(["domain", "title", "candidates", "goals"], rows, width)
    if categories:
        rows = [[c.name, c.title, str(c.libraries)] for c in categories]
        lines += [*([""] if lines else []), *text_table(["category", "title", "libraries"], rows, width)]
    lines += ["", "advisor rank --domain DOMAIN, advisor rank --category CATEGORY"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _entry(domain: Domain) -> DomainEntry:
    return DomainEntry(
        name=domain.name,
        title=domain.title,
        question=domain.question,
        default=domain.default,
        goals={name: goal.title for name, goal in domain.goals.items()},
        candidates=tuple(c.repository for c in domain.candidates),
        rivals=tuple(c.repository for c in domain.rivals),
    )


def render_goals(domain: Domain, output_format: DomainsFormat, width: int = PLAIN_WIDTH) -> str:
    """Return the goals of a domain with their weights in a format."""
    match output_format:
        case Format.table:
            return _goals_text(domain, width)
        case Format.json:
            return write_json(
                "goals", asdict(GoalsReport(domain.name, domain.default_goal, _goal_entries(domain)))
            )
        case _:
            assert_never(output_format)


def _goals_text(domain: Domain, width: int) -> str:
    names = [c.name for c in domain.criteria]
    rows = []
    for name, goal in domain.goals.items():
        total = sum(goal.weights.values())
        shares = [f"{goal.weights.get(c, 0) / total:.0%}" if goal.weights.get(c) else "" for c in names]
        rows.append([name, *shares])
    lines = [
        f"{domain.name}: {domain.question}",
        "",
        *text_table(["goal", *(c.title.lower() for c in domain.criteria)], rows, width),
        "",
        *(f"{name}: {goal.title}{_needs(goal)}" for name, goal in domain.goals.items()),
        "",
        f"Default: {domain.default_goal}. advisor rank --domain {domain.name} --goal GOAL",
        "--set CRITERION=WEIGHT changes one weight.",
        f"The criteria are {', '.join(names)}.",
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _needs(goal: Goal) -> str:
    needs = [f"at least {n.at_least:g} {metric_label(n.metric)}" for n in goal.needs]
    return f"; it needs {' and '.join(needs)}" if needs else ""


def _goal_entries(domain: Domain) -> dict[str, GoalEntry]:
    return {
        name: GoalEntry(
            title=goal.title,
            weights=dict(goal.weights),
            needs=tuple(NeedEntry(n.metric, n.at_least) for n in goal.needs),
        )
        for name, goal in domain.goals.items()
    }
