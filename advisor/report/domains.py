"""The domains and the categories of public lists as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from advisor.answers.libraries import NamedCategory
from advisor.domain.domain import Domain
from advisor.report.formats import DomainsFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import text_table


def render(
    domains: Sequence[Domain], categories: Sequence[NamedCategory], output_format: DomainsFormat
) -> str:
    """Return the list in a format; JSON also has the candidates of each domain."""
    match output_format:
        case Format.table:
            return _text(domains, categories)
        case Format.json:
            return write_json({"domains": [_entry(d) for d in domains], "categories": list(categories)})
        case _:
            assert_never(output_format)


def _text(domains: Sequence[Domain], categories: Sequence[NamedCategory]) -> str:
    lines: list[str] = []
    if domains:
        rows = [[d.name, d.title, str(len(d.candidates) or "yours"), ", ".join(d.goals)] for d in domains]
        lines += text_table(["domain", "title", "candidates", "goals"], rows)
    if categories:
        rows = [[c.name, c.title, str(c.libraries)] for c in categories]
        lines += [*([""] if lines else []), *text_table(["category", "title", "libraries"], rows)]
    lines += ["", "advisor rank --domain DOMAIN, advisor rank --category CATEGORY"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _entry(domain: Domain) -> dict[str, object]:
    return {
        "name": domain.name,
        "title": domain.title,
        "question": domain.question,
        "default": domain.default,
        "goals": {name: goal.title for name, goal in domain.goals.items()},
        "candidates": [c.repository for c in domain.candidates],
        "rivals": [c.repository for c in domain.rivals],
    }
