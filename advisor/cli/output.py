"""Where a report goes: to a terminal, a pipe or a file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.report.tables import PLAIN_WIDTH


def terminal_width(output: Path | None) -> int | None:
    """Return the columns of the terminal that shows the report; None: a file or a pipe."""
    return shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else None


def table_width(output: Path | None) -> int:
    """Return the columns that a table of the report may have."""
    return terminal_width(output) or PLAIN_WIDTH


def check_output(output: Path | None) -> Path | None:
    """Return the path of an output; refuse one that no file can have, before a command works for it.

    Raises:
        InputError: it is a folder, or lies in a file.
    """
    if output is None:
        return None
    from advisor.errors import InputError

    if output.is_dir():
        raise InputError(f"{output} cannot be written: it is a folder; choose another path")
    place = next((parent for parent in output.parents if parent.exists()), output)
    if not place.is_dir():
        raise InputError(f"{output} cannot be written: {place} is a file, not a folder; choose another path")
    return output


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="File to write the report into. Default: standard output.",
        callback=check_output,
    ),
]


def write_report(text: str, output: Path | None, *, has_sentences: bool = False) -> None:
    """Write a report to standard output, or replace a file with it.

    Args:
        text: the report.
        output: the file; None: standard output.
        has_sentences: whether lines that are wider than the terminal may break at spaces.

    Raises:
        CannotWrite: a full or read-only disk, or missing rights.
        InputError: no file can have this path.
    """
    width = terminal_width(output)
    if width is not None and has_sentences:
        from advisor.report.tables import wrap_line

        text = "".join(f"{part}\n" for line in text.splitlines() for part in wrap_line(line, width))
    if output is None:
        sys.stdout.write(text)
        return
    from advisor.cli.messages import print_note
    from advisor.files import write_atomically
    from advisor.write_errors import report_write_errors

    with report_write_errors(output):
        write_atomically(output, text.encode())
    print_note(f"written: {output}")
