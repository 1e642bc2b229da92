"""Standard output and error on any system: every encoding, a full disk, a closed stream."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from advisor.errors import AdvisorError, InputError
from advisor.files import TEXT_LIMIT_BYTES

_LETTERS = {
    "–": "-",
    "—": "-",
    "−": "-",
    "·": "|",
    "×": "x",
    "…": "...",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "≤": "<=",
    "≥": ">=",
    "±": "+-",
    "→": "->",
    "█": "#",
    "⟦": "[[",
    "⟧": "]]",
}


class OutputError(AdvisorError):
    """Standard output cannot be written."""


class _Output(io.TextIOWrapper):
    """Standard output that raises an `OutputError`; a reader that went away stays a `BrokenPipeError`."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise _output_error(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _output_error(error) from error


def prepare_streams() -> None:
    """Make both standard streams write any text, and name a failure of standard output.

    Raises:
        OutputError: standard output is closed.
    """
    codecs.register_error("plain", _plain)
    if sys.stderr is None:
        # print() to a missing stream writes to standard output, where a report belongs.
        sys.stderr = io.StringIO()
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="plain")
    if sys.stdout is None:
        raise OutputError("cannot write the report: standard output is closed")
    if type(sys.stdout) is io.TextIOWrapper:
        buffering = sys.stdout.line_buffering
        encoding = sys.stdout.encoding
        sys.stdout = _Output(sys.stdout.detach(), encoding=encoding, errors="plain", line_buffering=buffering)


def read_stdin(files: Iterable[Path]) -> bytes:
    """Return what standard input has if one of these files is ``-``.

    Raises:
        InputError: standard input is closed, or has more than a file may have.
    """
    if Path("-") not in files:
        return b""
    if sys.stdin is None:
        raise InputError("--from - needs standard input, which is closed")
    content = sys.stdin.buffer.read(TEXT_LIMIT_BYTES + 1)
    if len(content) > TEXT_LIMIT_BYTES:
        raise InputError(f"standard input has more than {TEXT_LIMIT_BYTES // 2**20} MiB")
    return content


def discard_output() -> None:
    """Send what is left in standard output nowhere, so that Python does not try to write it at exit."""
    if isinstance(sys.stdout, _Output):
        with suppress(OSError):  # a bare root file system has no such device
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return letters that every encoding has for those that this one does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_LETTERS.get(letter) or _escape(letter) for letter in letters), error.end


def _escape(letter: str) -> str:
    """Return the code of a letter that stands for a byte of a file's name which is no text, else ``?``."""
    is_surrogate = "\ud800" <= letter <= "\udfff"
    return letter.encode("ascii", "backslashreplace").decode() if is_surrogate else "?"


def _output_error(error: OSError) -> OSError | OutputError:
    if isinstance(error, BrokenPipeError):
        return error
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write the report: standard output says: {reason}")
