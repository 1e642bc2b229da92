"""What a project depends on, as a comment on a pull request: short on top, the rest folded away."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.dependencies import HEADER, alternatives, headline, label, risks, row, unknown_line
from advisor.report.markdown import escape

SHOWN = 10
"""Rows that are not folded away; those with a risk always stand above."""


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """A heading, the packages at risk, the others folded, the unknown folded."""
    doubtful = [h for h in answer.known if risks(h) or (fail_under is not None and h.is_below(fail_under))]
    others = [h for h in answer.known if h not in doubtful]
    if not doubtful:
        doubtful, others = others[:SHOWN], others[SHOWN:]
    parts = [
        "## Health of dependencies",
        escape(f"{', '.join(answer.files)}: {headline(answer, fail_under)}. Goal {answer.goal}."),
    ]
    if doubtful:
        parts.append(_table(doubtful))
    if others:
        parts.append(_folded(f"{len(others)} more", _table(others)))
    if answer.unknown:
        lines = "\n".join(f"- {escape(unknown_line(h))}" for h in answer.unknown)
        parts.append(_folded(f"{len(answer.unknown)} unknown", lines))
    return "\n\n".join(parts) + "\n"


def _table(rows: list[Health]) -> str:
    header = [*HEADER, "what speaks against it"]
    lines = [header, ["---"] * len(header)]
    for health in rows:
        said = [escape(text) for text in (*risks(health), alternatives(health)) if text]
        cells = [escape(cell) for cell in row(health)]
        cells[0] = f"**{escape(label(health))}**"
        cells[5] = f"[{cells[5]}](https://github.com/{health.repository})"
        lines.append([*cells, "<br>".join(said)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
