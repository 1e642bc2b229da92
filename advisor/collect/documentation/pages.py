"""Pages of documentation: their words, the names that they mention, and whether one helps to get started."""

from __future__ import annotations

import re
from typing import NamedTuple

_PAGE = re.compile(
    r"^(?:README\.(?:md|rst)|(?:.*/)?(?:docs?|documentation|tutorials?|guides?)/.+\.(?:mdx?|qmd|rst|ipynb))$",
    re.IGNORECASE,
)
# Translations say the same again; change logs say what was.
_NOT_PAGE = re.compile(
    r"(?:^|/)(?:tests?|node_modules|vendor|zh|ja|ko|fr|es|de|pt|ru|it|vi|tr|[a-z]{2}[-_][a-z]{2,4})/"
    r"|[_.](?:zh|ja|ko|cn)\.|changelog|release[-_]?notes|whatsnew",
    re.IGNORECASE,
)
_START = re.compile(
    r"(?:^|/)[^/]*(?:quick[-_ ]?(?:start|tour)|get(?:ting)?[-_ ]?started"
    r"|first[-_ ]?(?:steps|finetune)|0_to_|tutorial"
    r"|(?<![a-z\d])(?:10|ten)[-_ ]?min(?:ute)?s?(?![a-z]))[^/]*$",
    re.IGNORECASE,
)
_START_HEADING = re.compile(
    r"^(?:#+[ \t]+|[ \t]*)[^\n\w]{0,8}(?:quick[- ]?start|get(?:ting)? started|first steps|usage)\b",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*?^[ \t]*(?:```|~~~)[ \t]*$", re.MULTILINE | re.DOTALL)
_IDENTIFIER = re.compile(r"\b[A-Za-z_]\w{4,60}\b")
MAX_LENGTH = 1_000_000  # characters; a longer file is data


class Page(NamedTuple):
    """A page of documentation.

    Attributes:
        words: number of words outside of code.
        names: what it names that can be of an API: CamelCase, snake_case.
        is_start: whether it helps to get started.
    """

    words: int
    names: frozenset[str]
    is_start: bool


def is_page(path: str) -> bool:
    """Return whether a file is a page of documentation."""
    return _PAGE.match(path) is not None and not _NOT_PAGE.search(path)


def read_page(path: str, text: str) -> Page:
    """Read a page; a longer one than `MAX_LENGTH` has no words."""
    if len(text) > MAX_LENGTH:
        return Page(0, frozenset(), is_start=False)
    is_readme = "/" not in path
    return Page(
        len(re.findall(r"[A-Za-z]{2,}", _FENCE.sub("", text))),
        frozenset(name for name in _IDENTIFIER.findall(text) if can_be_mentioned(name)),
        _START.search(path) is not None or (is_readme and _START_HEADING.search(text) is not None),
    )


def can_be_mentioned(name: str) -> bool:
    """Return whether a name is not an English word: it has an underscore, or a capital letter inside."""
    return "_" in name.strip("_") or any(letter.isupper() for letter in name[1:])
