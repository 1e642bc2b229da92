"""The one writer of CSV: no cell runs as a formula in a spreadsheet.

Source: OWASP, "CSV Injection": a cell that begins with one of these characters may run as a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return CSV with a header line; None becomes an empty cell.

    A text that a spreadsheet would run as a formula gets an apostrophe in front. Numbers stay numbers.
    """
    return "".join(_line(row) for row in (header, *rows))


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    # The module quotes only the line breaks of its own line end, and a lone \r in a cell breaks a line too.
    csv.writer(text, lineterminator="\r\n").writerow([_escape_formula(cell) for cell in cells])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _escape_formula(cell: object) -> object:
    # Names and reasons come from outside; a number such as -2.5 is no formula.
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
