"""Read from the message of a commit which change requests it merges or closes, by ``data/merges.toml``."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml

if TYPE_CHECKING:
    from pathlib import Path

_REQUEST = re.compile(r"(?:#|\bGH-|/(?:pull|issues)/)(?P<number>[0-9]{1,9})\b", re.IGNORECASE)
_NUMBER = re.compile(r"[#/-][0-9]")  # what every pattern needs
_PLAIN = re.compile(r"[0-9]{1,9}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+$", re.ASCII)
_LONGEST_NAME = 140  # of a repository on GitHub
_TRAILER = re.compile(
    r"^co-authored-by:(?P<name>[^<\n]{0,200})<(?P<mail>[^>\n]{0,320})>", re.IGNORECASE | re.MULTILINE
)


class Pattern(StrictModel):
    """One way to name change requests, in the subject of a commit or in its message."""

    name: str
    where: Literal["subject", "message"]
    pattern: str
    examples: dict[str, tuple[int, ...]] = Field(min_length=1)
    source: str


class _Closing(StrictModel):
    words: tuple[str, ...]
    source: str


class MergePatterns(StrictModel):
    """All patterns, and the words that close a change request."""

    pattern: tuple[Pattern, ...]
    closing: _Closing


def load_merge_patterns(folder: Path | None = None) -> MergePatterns:
    """Read merges.toml.

    Raises:
        ConfigError: the file is invalid.
    """
    path = (folder or data_folder()) / "merges.toml"
    try:
        return MergePatterns.model_validate(read_toml(path))
    except ValidationError as error:
        raise describe_error(path, error) from None


def parse_merged_numbers(text: str, repository: str, *, is_subject: bool = False) -> list[int]:
    """Return the numbers of the change requests that a commit says it merges.

    Args:
        text: its message, or only its subject.
        repository: ``owner/name``; numbers of other repositories do not count.
        is_subject: whether the text is only the subject.
    """
    if not _NUMBER.search(text):
        return []
    subject = text.partition("\n")[0]
    numbers: list[int] = []
    for where, pattern in _compile_patterns():
        if where == "message" and is_subject:
            continue
        for match in pattern.finditer(subject if where == "subject" else text):
            numbers += _parse_requests(match["requests"], repository)
    return numbers


def parse_closed_numbers(text: str, repository: str) -> list[int]:
    """Return the numbers that a message closes with one of GitHub's words."""
    return [
        number
        for match in _compile_closing().finditer(text)
        for number in _parse_requests(match["requests"], repository)
    ]


def parse_mentioned_numbers(text: str, repository: str) -> list[int]:
    """Return all numbers of change requests and issues in a message."""
    return _parse_requests(text, repository)


def list_writers(author: str, mail: str, text: str) -> frozenset[str]:
    """Return the keys of the people who wrote a commit: addresses, and names of two words or more.

    Args:
        author: name of the author.
        mail: address of the author.
        text: message, with a trailer for each co-author.
    """
    trailers = ((match["name"], match["mail"]) for match in _TRAILER.finditer(text))
    people = [
        (" ".join(name.lower().split()), address.lower()) for name, address in ((author, mail), *trailers)
    ]
    return frozenset(key for name, address in people for key in (address, name if " " in name else "") if key)


def _parse_requests(text: str, repository: str) -> list[int]:
    if _PLAIN.fullmatch(text):
        return [int(text)]
    numbers = []
    for match in _REQUEST.finditer(text):
        before = _REPOSITORY.search(text[max(0, match.start() - _LONGEST_NAME) : match.start()])
        if not before or before[0].lower() == repository.lower():
            numbers.append(int(match["number"]))
    return numbers


@cache
def _bundled_patterns() -> MergePatterns:
    return load_merge_patterns()


@cache
def _compile_patterns() -> list[tuple[str, re.Pattern[str]]]:
    flags = re.IGNORECASE | re.MULTILINE | re.ASCII
    return [(p.where, re.compile(p.pattern, flags)) for p in _bundled_patterns().pattern]


@cache
def _compile_closing() -> re.Pattern[str]:
    words = "|".join(_bundled_patterns().closing.words)
    request = (
        r"https://github\.com/[\w.-]+/[\w.-]+/(?:pull|issues)/\d{1,9}|(?:[\w.-]+/[\w.-]+)?(?:#|GH-)\d{1,9}"
    )
    return re.compile(rf"\b(?:{words}):?\s+(?P<requests>{request})\b", re.IGNORECASE | re.ASCII)
