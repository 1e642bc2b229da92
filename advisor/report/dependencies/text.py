"""What a project depends on, for a terminal or a pipe: the riskiest first, the unknown last."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies
from advisor.report.dependencies import HEADER, alternatives, headline, label, risks, row, unknown_line
from advisor.report.text import table

LEGEND = "out: ruled out. ?: not known. Score 0 to 100 on fixed scales. Every number: --format json"


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """A headline, the table, what speaks against whom, and what is not known."""
    lines = [f"{', '.join(answer.files)}: goal {answer.goal}", "", headline(answer, fail_under)]
    if answer.known:
        lines += ["", *table(HEADER, [row(h) for h in answer.known])]
    for health in answer.known:
        said = [*risks(health), *([alternatives(health)] if health.alternatives else [])]
        if said and risks(health):
            lines += ["", f"  {label(health)}:", *(f"    - {text}" for text in said)]
    if answer.unknown:
        lines += ["", "  unknown:", *(f"    - {unknown_line(h)}" for h in answer.unknown)]
    lines += ["", LEGEND]
    return "\n".join(line.rstrip() for line in lines) + "\n"
