"""The dependencies of a project for a terminal or a pipe."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies
from advisor.report.dependencies.rows import (
    HEADER,
    NEED,
    alternatives,
    details,
    exemption,
    has_needs,
    headline,
    label,
    marks,
    need,
    risks,
    row,
    unknown_line,
)
from advisor.report.tables import PLAIN_WIDTH, text_table

LEGEND = (
    "score: 0 to 100 on fixed scales, higher is healthier. range: possible scores, given what is not known.",
    "evidence: share of the weight that rests on data. out: excluded by a rule. ?: not enough data.",
    "abandoned: chance of a year without commits by then; at this score: share of all with such a score.",
    "All numbers: --format json.",
)


def render(answer: Dependencies, fail_under: float | None = None, width: int = PLAIN_WIDTH) -> str:
    """Return a headline, the table with the riskiest first, the risks, and the packages without a score."""
    lines = [f"{', '.join(answer.files)}: goal {answer.goal}", "", headline(answer, fail_under)]
    lines += [f"  {note}" for note in answer.notes]
    if answer.known:
        lines += ["", *text_table(*_table(answer), width)]
    for health in answer.known:
        sentences = [
            *risks(health),
            *filter(None, (alternatives(health), exemption(health), details(health))),
        ]
        if risks(health) or health.exemption:
            lines += ["", f"  {label(health)}:", *(f"    - {text}" for text in sentences)]
    if answer.unknown:
        lines += ["", "  no score:", *(f"    - {unknown_line(h)}" for h in answer.unknown)]
    lines += ["", *LEGEND[:-1], *marks(answer), LEGEND[-1]]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _table(answer: Dependencies) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows; with who needs a package, unless the project needs all itself."""
    rows = [row(h) for h in answer.known]
    if not has_needs(answer):
        return HEADER, rows
    return [*HEADER, NEED], [[*cells, need(h)] for cells, h in zip(rows, answer.known, strict=True)]
