"""The dependencies of a project as a comment on a change request: risks first, the rest folded."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies, Health
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
from advisor.report.tables import escape_markdown

UNFOLDED_ROWS = 10
"""Rows above the fold if no package has a risk; all packages with a risk stand above it."""


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return a heading, the packages at risk, then the others and those without a score, both folded."""
    at_risk = [h for h in answer.known if risks(h) or (fail_under is not None and h.is_below(fail_under))]
    others = [h for h in answer.known if h not in at_risk]
    if not at_risk:
        at_risk, others = others[:UNFOLDED_ROWS], others[UNFOLDED_ROWS:]
    parts = [
        "## Health of dependencies",
        escape_markdown(f"{', '.join(answer.files)}: {headline(answer, fail_under)}. Goal {answer.goal}."),
    ]
    if at_risk:
        parts.append(_table(at_risk))
    if others:
        parts.append(_fold(f"{len(others)} more", _table(others)))
    if answer.unknown:
        lines = "\n".join(f"- {escape_markdown(unknown_line(h))}" for h in answer.unknown)
        parts.append(_fold(f"{len(answer.unknown)} without a score", lines))
    parts += map(escape_markdown, marks(answer))
    return "\n\n".join(parts) + "\n"


def _table(packages: list[Health]) -> str:
    header = [*HEADER, "risks and alternatives"]
    lines = [header, ["---"] * len(header)]
    for health in packages:
        sentences = [escape_markdown(text) for text in (*risks(health), alternatives(health)) if text]
        cells = [escape_markdown(cell) for cell in row(health)]
        cells[0] = f"**{escape_markdown(label(health))}**"
        mark = " \\*" if health.is_claim else ""
        cells[HEADER.index("repository")] = (
            f"[{health.repository}](https://github.com/{health.repository}){mark}"
        )
        lines.append([*cells, "<br>".join(sentences)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
