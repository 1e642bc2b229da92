"""What a README says of its own project: active, unmaintained, deprecated or archived."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT = r"(?:this|the|our)\s+(?:\w+\s+){0,2}(?:project|repository|repo|library|package|codebase)"
_NOT_MAINTAINED = (
    r"\b(?:is|are)\s+(?:no longer|not)\s+(?:being\s+)?(?:actively\s+)?"
    r"(?:maintained|developed)(?:\s+any\s*more)?\s*(?:[.:!;,]|$|by|and|since|as)"
)
_PATTERNS = (
    ("archived", rf"{_PROJECT}\s+(?:is|has been|was)\s+(?:now\s+)?archived"),
    (
        "deprecated",
        rf"{_PROJECT}\s+(?:is|has been)\s+(?:now\s+)?(?:deprecated|discontinued|sunset)",
    ),
    ("deprecated", r"^\W*(?:deprecated|deprecation notice)\W*$"),
    ("unmaintained", _NOT_MAINTAINED),
    ("unmaintained", r"\bno longer (?:being )?actively (?:maintained|developed)"),
    (
        "unmaintained",
        r"\bdevelopment (?:of \w+ )?(?:has |was |is )?(?:wound down|ceased|been discontinued)",
    ),
    (
        "unmaintained",
        rf"{_PROJECT}\s+is\s+(?:now\s+)?(?:unmaintained|in maintenance(?:-only)? mode)",
    ),
)
# Every pattern needs one of these: most lines are done with after one look.
_ANY_OF_THEIR_WORDS = re.compile(r"maint|develop|archiv|deprecat|discontinu|sunset", re.IGNORECASE)
_LINES = 60
_LONGEST = 300


def declared_status(readme: str) -> tuple[str, str]:
    """Status and the sentence that declares it; ("active", "") where none does.

    Only the first 60 lines outside code blocks are read: further down a README speaks of features.
    """
    for line in islice(_prose(readme), _LINES):
        if declared := _declared_by(line):
            return declared
    return "active", ""


@lru_cache(maxsize=2**12)  # one version of a README has nearly all lines of the one before
def _declared_by(line: str) -> tuple[str, str] | None:
    if not _ANY_OF_THEIR_WORDS.search(line):
        return None
    for sentence in re.split(r"(?<=[.!?])\s+", _plain(line)):
        for status, pattern in _PATTERNS:
            if re.search(pattern, sentence, re.IGNORECASE):
                return status, sentence.strip()[:_LONGEST]
    return None


def _prose(readme: str) -> Iterator[str]:
    in_code = False
    for line in readme.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif not in_code and line.strip():
            yield line


def _plain(line: str) -> str:
    """Markdown and HTML taken off."""
    line = re.sub(r"<[^>]{0,500}>", " ", line)
    line = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"[*_`]{1,3}|^[#>\s]+", "", line)
    return "".join(c for c in line if c.isprintable()).strip()
