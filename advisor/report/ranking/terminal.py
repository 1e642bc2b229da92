"""A recommendation for a person at a terminal: the words of `text`, wrapped, with colours and bars."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date

from advisor.model import Ranked, Recommendation
from advisor.report.ranking.text import Line, lines
from advisor.report.tables import wrap_line

_CODES = {
    "title": "1",
    "header": "1",
    "first": "1",
    "out": "2",
    "legend": "2",
    "context": "2",
    "clear": "1;32",
    "leaning": "1;33",
    "tie": "1;33",
    "only": "1;33",
    "none": "1;31",
}  # "Select Graphic Rendition" of ECMA-48: 1 is bold, 2 is faint, 31 to 33 are red, green and yellow
_BAR = 20


def render(answer: Recommendation, width: int = 100, today: date | None = None, *, full: bool = False) -> str:
    """Return the report, wrapped to ``width`` columns.

    The environment variable ``NO_COLOR`` and a terminal of type ``dumb`` turn colours off.
    """
    days = (today - answer.as_of).days if today else 0
    age = f" ({days} days old)" if days > 0 else ""
    has_colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    text = ""
    for line in _add_bars(lines(answer, width, full=full, age=age), width):
        for row in _wrap(line, width):
            code = _CODES.get(answer.certainty if line.style == "choice" else line.style, "")
            text += f"\x1b[{code}m{row}\x1b[0m\n" if code and row and has_colours else f"{row}\n"
    return text


def _wrap(line: Line, width: int) -> list[str]:
    is_table = line.style in {"table", "header", "first", "out"}
    return [line.plain] if is_table else wrap_line(line.plain, width)


def _add_bars(report: Iterator[Line], width: int) -> Iterator[Line]:
    """Yield the lines with a bar behind each row of the ranking, if the terminal is wide enough."""
    length = width
    for line in report:
        if line.style == "header":
            length = len(line.text)
        if line.candidate is not None and length + 2 + _BAR <= width:
            yield line._replace(text=f"{line.text:<{length}}  {_bar(line.candidate)}")
        else:
            yield line


def _bar(candidate: Ranked) -> str:
    """Return a bar from 0 to 100: a line for the range of the score, a mark for the score itself."""
    low, high = (round(bound / 100 * (_BAR - 1)) for bound in (candidate.low, candidate.high))
    cells = ["─" if low <= i <= high else " " for i in range(_BAR)]
    if candidate.score is not None:
        cells[round(candidate.score / 100 * (_BAR - 1))] = "●"
    return "".join(cells).rstrip()
