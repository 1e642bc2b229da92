"""Read a version from the name of a tag, by the schemes of ``data/tags.toml``."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, ValidationError

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LENGTH = 200
_WORD = re.compile(r"[a-z]+")


class Version(NamedTuple):
    """The version that a tag names: of which package, if the tag says that, and whether it is final."""

    package: str | None
    is_prerelease: bool


class Scheme(StrictModel):
    """One way to write versions; a strict one is a release only with a known rest."""

    name: str
    pattern: str
    strict: bool = False
    examples: tuple[str, ...] = Field(min_length=1)
    source: str


class _Prerelease(StrictModel):
    words: tuple[str, ...]
    letters: tuple[str, ...]
    source: str


class _Final(StrictModel):
    words: tuple[str, ...]


class _Prefix(StrictModel):
    words: tuple[str, ...]
    no_release: tuple[str, ...]


class _Python(StrictModel):
    words: tuple[str, ...]
    source: str


class TagSchemes(StrictModel):
    """The schemes in order, and the words around a version."""

    scheme: tuple[Scheme, ...]
    prerelease: _Prerelease
    final: _Final
    prefix: _Prefix
    python: _Python


def load_tag_schemes(folder: Path | None = None) -> TagSchemes:
    """Read tags.toml.

    Raises:
        ConfigError: the file is invalid.
    """
    path = (folder or data_folder()) / "tags.toml"
    try:
        return TagSchemes.model_validate(read_toml(path))
    except ValidationError as error:
        raise describe_error(path, error) from None


def parse_tag(tag: str) -> Version | None:
    """Return the version that a tag names; None if it names none."""
    schemes = _bundled_schemes()
    for scheme, pattern in _compile_patterns():
        if len(tag) <= _MAX_LENGTH and (match := pattern.fullmatch(tag)):
            return _read_match(schemes, scheme, match.groupdict())
    return None


def is_python(name: str | None, package: str) -> bool:
    """Return whether a tag names the Python package in a repository of several languages: ``py-``."""
    words = _bundled_schemes().python.words
    own = (name or "").lower().replace("_", "-")
    return own in words or own in {f"{word}-{package.lower().replace('_', '-')}" for word in words}


def _read_match(schemes: TagSchemes, scheme: Scheme, parts: dict[str, str | None]) -> Version | None:
    prefix = parts.get("package") or parts.get("prefix") or ""
    rest = parts.get("rest") or ""
    words = _WORD.findall(prefix.lower())
    if words and words[0] in schemes.prefix.no_release:
        return None
    names_package = scheme.name == "package at a version"
    other_words = [word for word in words if word not in schemes.prefix.words]
    is_marked = bool(other_words) and not names_package and set(other_words) <= set(schemes.prerelease.words)
    if "prefix" in parts and other_words and not is_marked:  # backups and branches have a day, too
        return None
    is_prerelease = is_marked or bool(_compile_prerelease().search(rest.lower().partition("+")[0]))
    if scheme.strict and rest and not is_prerelease and not _starts_final(schemes, rest):
        return None
    package = None if is_marked else _strip_words(prefix, schemes.prefix.words)
    return Version(package, is_prerelease)


def _starts_final(schemes: TagSchemes, rest: str) -> bool:
    words = _WORD.findall(rest.lower())
    return bool(words) and words[0] in schemes.final.words


def _strip_words(prefix: str, words: tuple[str, ...]) -> str | None:
    """Return a prefix without the words that only say "release" at its ends; None if nothing is left."""
    parts = re.split(r"([-_/.\s]+)", prefix)
    while parts and (not parts[0].strip("-_/. ") or parts[0].lower() in words):
        parts.pop(0)
    while parts and (not parts[-1].strip("-_/. ") or parts[-1].lower() in words):
        parts.pop()
    return "".join(parts) or None


@cache
def _bundled_schemes() -> TagSchemes:
    return load_tag_schemes()


@cache
def _compile_patterns() -> list[tuple[Scheme, re.Pattern[str]]]:
    flags = re.IGNORECASE | re.ASCII | re.DOTALL
    return [(scheme, re.compile(scheme.pattern, flags)) for scheme in _bundled_schemes().scheme]


@cache
def _compile_prerelease() -> re.Pattern[str]:
    known = _bundled_schemes().prerelease
    return re.compile(
        rf"(?<![a-z])(?:(?:{'|'.join(known.words)})(?![a-z])|(?:{'|'.join(known.letters)})[-._]?\d)"
    )
