"""Find the status that a README declares: active, unmaintained, deprecated or archived."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT = r"(?:this|the|our)\s+(?:\w+\s+){0,2}(?:project|repository|repo|library|package|codebase)"
_NOT_MAINTAINED_PATTERN = (
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
    ("unmaintained", _NOT_MAINTAINED_PATTERN),
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
# "Since X is not maintained, …" and "an X that is not maintained" are about something else.
_OTHER_SUBJECT = re.compile(
    r"\b(?:since|because|as|if|when|where|while|although|unless|until)\b|\b(?:that|which)\s*$", re.IGNORECASE
)
# Every pattern needs one of these words; most lines have none and are skipped fast.
_STATUS_WORDS = re.compile(r"maint|develop|archiv|deprecat|discontinu|sunset", re.IGNORECASE)
_LINES = 60
_LINE_LENGTH = 20_000
_MAX_LENGTH = 300


def find_declared_status(readme: str) -> tuple[str, str]:
    """Return the declared status and its sentence; ("active", "") if no sentence declares one.

    Only the first 60 lines outside code blocks count: later lines of a README describe features.
    """
    for line in islice(_iterate_prose(readme), _LINES):
        if declaration := _find_declaration(line):
            return declaration
    return "active", ""


@lru_cache(maxsize=2**12)  # versions of a README share most lines
def _find_declaration(line: str) -> tuple[str, str] | None:
    if not _STATUS_WORDS.search(line):
        return None
    for sentence in re.split(r"(?<=[.!?])\s+", _strip_markup(line[:_LINE_LENGTH])):
        for status, pattern in _PATTERNS:
            match = re.search(pattern, sentence, re.IGNORECASE)
            if match and not _is_about_another(sentence[: match.start()], match[0]):
                return status, sentence.strip()[:_MAX_LENGTH]
    return None


def _is_about_another(text_before: str, declaration: str) -> bool:
    """Return whether the clause of a declaration has another subject than the project."""
    clause = re.split(r"[,;:()]", text_before)[-1]
    is_of_project = re.search(_PROJECT, clause + declaration, re.IGNORECASE)
    return bool(_OTHER_SUBJECT.search(clause)) and not is_of_project


def _iterate_prose(readme: str) -> Iterator[str]:
    in_code = False
    for line in readme.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif not in_code and line.strip():
            yield line


def _strip_markup(line: str) -> str:
    """Remove Markdown and HTML."""
    line = re.sub(r"<[^>]{0,500}>", " ", line)
    line = re.sub(r"!?\[([^\]]{0,1000})\]\([^)]{0,4000}\)", r"\1", line)
    line = re.sub(r"[*_`]{1,3}|^[#>\s]+", "", line)
    return "".join(c for c in line if c.isprintable()).strip()
