"""Read dates of commits and tags; some histories have dates that no calendar has."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

Warn = Callable[[str], None]
"""Receives a sentence about facts that had to be left out or estimated."""

_LAST_SECOND = 253_402_300_799  # the year 9999 ends
# Git prints nothing, or the placeholder itself, for a date that it cannot read.
_TIME = re.compile(r"[0-9]{0,20}|%[ac]t")


def parse_time(text: str) -> int | None:
    """Return the seconds since 1970 that git printed; None if git or the calendar has no such date.

    Raises:
        ValueError: this is no output of git.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(f"not a time: {text[:50]!r}")
    if not text.isdecimal():
        return None
    seconds = int(text)
    return seconds if seconds <= _LAST_SECOND else None


def choose_time(commit_date: str, author_date: str, otherwise: int) -> int:
    """Return the committer's date, else the author's, else another one, in seconds since 1970."""
    for text in (commit_date, author_date):
        if (time := parse_time(text)) is not None:
            return time
    return otherwise


def format_day(seconds: int) -> str:
    """Return the UTC day (YYYY-MM-DD) of a time in seconds since 1970."""
    return (date(1970, 1, 1) + timedelta(days=seconds // 86400)).isoformat()


def ignore(_: str) -> None:
    """Drop a warning."""
