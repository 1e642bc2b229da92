"""What a command says beside its report, on standard error: notes, details and progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from typer.core import TyperOption

QUIET, NORMAL, VERBOSE = -1, 0, 1
_verbosity: ContextVar[int] = ContextVar("verbosity", default=NORMAL)
_PATIENCE_SECONDS = 2.0


def reset_verbosity() -> None:
    """Begin a command: neither --quiet nor --verbose was read yet."""
    _verbosity.set(NORMAL)


def verbosity_options() -> list[Any]:
    """Return the options that every command has; they may stand before and after its name."""
    return [
        _verbosity_option("-q", "--quiet", QUIET, "Print only the report and errors: no notes, no progress."),
        _verbosity_option("-v", "--verbose", VERBOSE, "Print also which files and settings are used."),
    ]


def _verbosity_option(letter: str, name: str, verbosity: int, text: str) -> TyperOption:
    def choose(_context: Any, _option: Any, flag: bool) -> None:
        if flag:
            _verbosity.set(verbosity)

    return TyperOption(
        param_decls=[letter, name],
        is_flag=True,
        default=False,
        expose_value=False,
        callback=choose,
        help=text,
    )


def print_note(text: str) -> None:
    """Print what a reader of the report should know, unless --quiet is given."""
    if _verbosity.get() >= NORMAL:
        print(f"advisor: {text}", file=sys.stderr)


def print_detail(text: str) -> None:
    """Print which file or setting is used, if --verbose is given."""
    if _verbosity.get() >= VERBOSE:
        print(f"advisor: {text}", file=sys.stderr)


def is_quiet() -> bool:
    """Return whether --quiet is given."""
    return _verbosity.get() < NORMAL


def shows_progress() -> bool:
    """Return whether a person watches standard error and wants to see progress."""
    return sys.stderr.isatty() and _verbosity.get() >= NORMAL


@contextmanager
def show_wait(text: str, patience_seconds: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Say on a terminal what the block does, with its seconds, as soon as it takes longer than usual."""
    if not shows_progress():
        yield
        return
    import threading
    import time

    start, end = time.monotonic(), threading.Event()

    def count() -> None:
        wait = patience_seconds
        while not end.wait(wait):
            seconds = f"{time.monotonic() - start:.0f} s"
            print(f"\r\033[Kadvisor: {text}: {seconds}", end="", file=sys.stderr, flush=True)
            wait = 1.0
        if wait != patience_seconds:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        yield
    finally:
        end.set()
        counter.join()
