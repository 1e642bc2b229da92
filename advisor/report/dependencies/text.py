"""The dependencies of a project for a terminal or a pipe."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies
from advisor.report.dependencies.rows import (
    HEADER,
    alternatives,
    headline,
    label,
    marks,
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
    if answer.known:
        lines += ["", *text_table(HEADER, [row(h) for h in answer.known], width)]
    for health in answer.known:
        sentences = [*risks(health), *([alternatives(health)] if health.alternatives else [])]
        if risks(health):
            lines += ["", f"  {label(health)}:", *(f"    - {text}" for text in sentences)]
    if answer.unknown:
        lines += ["", "  no score:", *(f"    - {unknown_line(h)}" for h in answer.unknown)]
    lines += ["", *LEGEND[:-1], *marks(answer), LEGEND[-1]]
    return "\n".join(line.rstrip() for line in lines) + "\n"
