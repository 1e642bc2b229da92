"""The dependencies of a project as a comment on a change request: risks first, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.answers.dependencies.health import Dependencies, Health
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
from advisor.report.tables import escape_markdown

UNFOLDED_ROWS = 10
"""Rows above the fold if no package has a risk; all packages with a risk stand above it."""
LENGTH_LIMIT = 65_000
"""Most characters; GitHub refuses a comment with more than 65,536, and the action adds a mark."""


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return a heading, the packages at risk, then the others and those without a score, both folded.

    A text that is too long for a comment loses the packages without a score first, then the healthiest ones.
    """
    at_risk = [h for h in answer.known if risks(h) or (fail_under is not None and h.is_below(fail_under))]
    others = [h for h in answer.known if h not in at_risk]
    if not at_risk:
        at_risk, others = others[:UNFOLDED_ROWS], others[UNFOLDED_ROWS:]
    has_need = has_needs(answer)
    risky_rows, other_rows = _rows(at_risk, has_need=has_need), _rows(others, has_need=has_need)
    unknown_rows = [f"- {escape_markdown(unknown_line(h))}" for h in answer.unknown]
    start = [
        "## Health of dependencies",
        escape_markdown(f"{', '.join(answer.files)}: {headline(answer, fail_under)}. Goal {answer.goal}."),
        *(escape_markdown(f"{note[:1].upper()}{note[1:]}.") for note in answer.notes),
    ]
    header = [*HEADER, *([NEED] if has_need else []), "risks and alternatives"]
    ends = [escape_markdown(mark) for mark in marks(answer)]
    room = LENGTH_LIMIT - sum(len(part) + 2 for part in (*start, *ends)) - _MARKUP
    risky_rows, room = _cut(risky_rows, room)
    other_rows, room = _cut(other_rows, room)
    unknown_rows, room = _cut(unknown_rows, room)
    parts = start
    if risky_rows:
        parts.append(_table(header, risky_rows))
    if other_rows:
        parts.append(_fold(f"{len(others)} more", _table(header, other_rows)))
    if unknown_rows:
        parts.append(_fold(f"{len(answer.unknown)} without a score", "\n".join(unknown_rows)))
    total = len(answer.known) + len(answer.unknown)
    if missing := total - len(risky_rows) - len(other_rows) - len(unknown_rows):
        parts.append(f"{missing} of {total} packages do not fit into a comment; `--format csv` has them all.")
    return "\n\n".join([*parts, *ends]) + "\n"


_MARKUP = 1500  # headers of two tables, two folds, the last sentence


def _rows(packages: Sequence[Health], *, has_need: bool) -> list[str]:
    rows = []
    for health in packages:
        texts = (*risks(health), alternatives(health), exemption(health), details(health))
        sentences = [escape_markdown(text) for text in texts if text]
        cells = [escape_markdown(cell) for cell in row(health)]
        cells[0] = f"**{escape_markdown(label(health))}**"
        mark = " \\*" if health.is_claim else ""
        cells[HEADER.index("repository")] = (
            f"[{health.repository}](https://github.com/{health.repository}){mark}"
        )
        if has_need:
            cells.append(escape_markdown(need(health)))
        rows.append(_line([*cells, "<br>".join(sentences)]))
    return rows


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cut(rows: list[str], room: int) -> tuple[list[str], int]:
    """Return the first rows that fit, and the room that is left; none after a row that does not fit."""
    for number, text in enumerate(rows):
        if len(text) + 1 > room:
            return rows[:number], 0
        room -= len(text) + 1
    return rows, room


def _table(header: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([_line(header), _line(["---"] * len(header)), *rows])


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
