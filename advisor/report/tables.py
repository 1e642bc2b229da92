"""Tables as plain text and as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

PLAIN_WIDTH = 80
"""Columns of a table in a file or a pipe, where no terminal says how wide it is."""

_LONGEST_FIGURE = 24  # a longer cell is text: it may take several lines and is aligned left
_GAP = "  "
_NARROWEST = 20  # columns in which a sentence still wraps


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int = PLAIN_WIDTH) -> list[str]:
    """Return the lines of a table: the first column and texts aligned left, figures right.

    Headers and texts break at spaces where the table is wider than ``width``. If that is not enough, several
    tables follow each other, each with the first column. A figure is never broken.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = _shrink([max(map(len, column)) for column in columns], columns, width)
    parts = list(_split(widths, width))
    if len(parts) == 1:
        return _lines(columns, widths)
    lines: list[str] = []
    for part in parts:
        of_part = [columns[i] for i in part]
        part_header, *part_rows = zip(*of_part, strict=True)
        lines += [*([""] if lines else []), *text_table(part_header, part_rows, width)]
    return lines


def _shrink(widths: list[int], columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return narrower widths as far as headers and texts can break, the widest columns first."""
    least = [
        max([_longest_word(header), *(_least_width(cell) for cell in cells)]) for header, *cells in columns
    ]
    while (excess := sum(widths) + len(_GAP) * (len(widths) - 1) - width) > 0:
        i = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
        if widths[i] <= least[i]:
            break
        widths[i] -= max(1, min(excess, widths[i] - least[i]) // 2)
    return widths


def _least_width(cell: str) -> int:
    return len(cell) if len(cell) <= _LONGEST_FIGURE else max(_LONGEST_FIGURE, _longest_word(cell))


def _longest_word(text: str) -> int:
    return max(map(len, text.split(" ")))


def _split(widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Yield the numbers of the columns of each table that fits; the first column is in all of them."""
    part, length = [0], widths[0]
    for i in range(1, len(widths)):
        if len(part) > 1 and length + len(_GAP) + widths[i] > width:
            yield part
            part, length = [0], widths[0]
        part.append(i)
        length += len(_GAP) + widths[i]
    yield part


def _lines(columns: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    is_text = [
        i == 0 or any(len(cell) > _LONGEST_FIGURE for cell in column[1:]) for i, column in enumerate(columns)
    ]
    lines = []
    for number, row in enumerate(zip(*columns, strict=True)):
        cells = [_break(cell, width) for cell, width in zip(row, widths, strict=True)]
        if number == 0:  # headers end on the same line
            height = max(map(len, cells))
            cells = [[""] * (height - len(cell)) + cell for cell in cells]
        for line in zip_longest(*cells, fillvalue=""):
            parts = (
                cell.ljust(width) if left else cell.rjust(width)
                for cell, width, left in zip(line, widths, is_text, strict=True)
            )
            lines.append(_GAP.join(parts).rstrip())
    return lines


def wrap_line(line: str, width: int) -> list[str]:
    """Return the lines of a sentence that breaks at spaces; those after the first are indented further."""
    if len(line) <= width:
        return [line]
    mark = re.match(r" *(?:- )?", line)
    hanging = " " * (len(mark[0]) if mark and mark[0].endswith("- ") else (mark.end() if mark else 0) + 2)
    return textwrap.wrap(
        line,
        max(width, _NARROWEST),
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _break(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with all cells escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(c if c == "---" else escape_markdown(c) for c in line) + " |" for line in lines
    )


def escape_markdown(text: str) -> str:
    """Escape a text so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text.replace("\n", " "))
