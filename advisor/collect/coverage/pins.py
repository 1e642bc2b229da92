"""The versions of transformers that a library allows, as its requirements say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from advisor.collect.coverage.extractor import Name
from advisor.collect.coverage.span import Span

_FILE = re.compile(
    r"(setup\.py|setup\.cfg|pyproject\.toml|Pipfile|requirements[^/]*\.txt|requirements/[^/]+\.txt)"
)
# transformers>=4.45,<5 after a quote, at the start of a line, or in TOML with "=".
_REQUIREMENT = re.compile(
    r"""(?:^|["'])[ \t]*transformers[ \t]*(?:\[[^\]]*\])?[ \t]*"""
    r"""(?P<pin>@[ \t]*[^\s"']*|=[ \t]*"[^"]*"|[<>=!~][^"';#\n]*|(?=["'\n]|$))""",
    re.MULTILINE,
)


def is_pin_file(path: str) -> bool:
    """Return whether a file lists the requirements of the library."""
    return _FILE.fullmatch(path) is not None


def find_pins(text: str) -> set[Name]:
    """Return the versions of transformers in a file of requirements; "" allows every version.

    A commit of transformers is of no known version, so it changes nothing; its default branch has all.
    """
    pins = set()
    for match in _REQUIREMENT.finditer(text):
        pin = match["pin"].strip()
        if pin.startswith("@"):
            if not re.search(r"\.git@|\.zip", pin):
                pins.add("")
            continue
        pin = re.sub(r'^=\s*"([^"]*)"$', r"\1", pin).replace(" ", "").strip("*")
        if _is_specifier(pin):
            pins.add(pin)
    return {Name(pin, "pin") for pin in pins}


def find_pin(version: str, released_on: date, pins: Mapping[str, Span]) -> tuple[date, Span | None] | None:
    """Return the first day on which a library allows a version or a later one, and the pin that does.

    Args:
        version: of transformers.
        released_on: its release.
        pins: specifier → the time in which the library had it.

    Returns:
        The day, and the pin if it is what the library waited for; None: no pin allowed it.
    """
    if not pins:
        return released_on, None
    days = [
        (released_on, None) if span.first <= released_on else (span.first, span)
        for pin, span in pins.items()
        if _admits(pin, version) and (span.last is None or span.last > released_on)
    ]
    return min(days, key=lambda d: d[0], default=None)


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def _admits(pin: str, version: str) -> bool:
    """Return whether a specifier has no upper bound, or one that is not below the version."""
    own = Version(version)
    for part in SpecifierSet(pin):
        limit, operator = Version(part.version.removesuffix(".*")), part.operator
        if operator == "==" and part.version.endswith(".*"):
            limit, operator = _next_release(limit.release), "<"
        elif operator == "~=":
            limit, operator = _next_release(limit.release[:-1]), "<"
        if (operator in ("==", "===", "<=") and limit < own) or (operator == "<" and limit <= own):
            return False
    return True


def _next_release(release: tuple[int, ...]) -> Version:
    *head, last = release
    return Version(".".join(map(str, (*head, last + 1))))
