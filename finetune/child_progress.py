"""How far a program is that advisor started: lines with a mark on its standard error.

The child writes them with `count_rows` and `begin`; `isolation.run_program` reads them and hands them on, so
that they are in no log and in no error message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

_MARK = "\x1eadvisor "
_LONGEST_TEXT = 80

OnCount = Callable[[int], None]
OnProgress = Callable[[str, int, int], None]


def ignore_count(_: int) -> None:
    """Do nothing with a number of rows."""


def ignore_progress(_text: str, _count: int, _total: int) -> None:
    """Do nothing with the progress of a program."""


def begin(text: str) -> None:
    """Say what begins, if it has no rows to count."""
    _write(text, 0, 0)


def count_rows(text: str, total: int) -> OnCount:
    """Say what begins; return the function that gets the number of rows that are done."""
    _write(text, 0, total)
    return lambda count: _write(text, count, total)


def _write(text: str, count: int, total: int) -> None:
    print(f"{_MARK}{json.dumps([text, count, total])}", file=sys.stderr, flush=True)


def read_line(line: str) -> tuple[str, int, int] | None:
    """Return text, rows that are done and all rows from a line of a program; None for any other line.

    A model's own code can write to the same stream, so the text is short and printable.
    """
    if not line.startswith(_MARK):
        return None
    try:
        text, count, total = json.loads(line.removeprefix(_MARK))
        printable_text = "".join(letter for letter in str(text) if letter.isprintable())
        return printable_text[:_LONGEST_TEXT], int(count), int(total)
    except (ValueError, TypeError, RecursionError):
        return None
