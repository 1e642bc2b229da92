"""Read the history of the licence: which licence the files in the root folder state, commit by commit.

`data/licences.toml` says how a licence is recognised. The row of another text has no licence. Files of the
same commit count together: a file that is renamed is no change.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from advisor.collect.git.dates import Warn, format_day, ignore
from advisor.collect.git.root_files import Version, list_versions, read_texts
from advisor.domain.files import data_folder, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAMES = tuple(
    f":(icase){stem}{suffix}"
    for stem in ("license", "licence", "copying", "license-mit", "license-apache")
    for suffix in ("", ".txt", ".md", ".rst")
)


@cache
def _load_phrases() -> tuple[tuple[str, str], ...]:
    entries = read_toml(data_folder() / "licences.toml")["licence"]
    return tuple((entry["phrase"], entry["id"]) for entry in entries)


def find_licence(text: str) -> str | None:
    """Return the licence whose phrase comes first in a text; None if no phrase is in it."""
    words = re.sub(r"[\s*#=>_\"“”]+", " ", text.lower())
    places = [(words.find(phrase), -len(phrase), name) for phrase, name in _load_phrases()]
    matches = [place for place in places if place[0] >= 0]
    return min(matches)[2] if matches else None


def read_licences(folder: Path, warn: Warn = ignore) -> list[dict[str, Any]]:
    """Build the rows of ``repositories`` about licences: the first one, and one for each change of it.

    Several files have their licences joined by " and ", in alphabetical order.

    Raises:
        GitFailed: git failed.
    """
    versions = [version for version in list_versions(folder, NAMES) if "/" not in version.path]
    texts = read_texts(folder, versions, "the licence", warn)
    rows: list[dict[str, Any]] = []
    current: dict[str, str | None] = {}
    for _, group in groupby(texts, key=lambda item: item[0].sha):
        version = _apply(current, group)
        licence = " and ".join(sorted({name for name in current.values() if name})) or None
        if current and (not rows or rows[-1]["licence"] != licence):
            row = {
                "observed_on": format_day(version.time),
                "licence": licence,
                "evidence_path": version.path,
                "evidence_commit": version.sha,
            }
            if rows and rows[-1]["observed_on"] == row["observed_on"]:
                rows.pop()  # what a day ends with counts
            rows.append(row)
    return rows


def _apply(current: dict[str, str | None], versions: Iterable[tuple[Version, str | None]]) -> Version:
    """Apply the files of one commit; return the last one that exists, else the last one."""
    last: Version | None = None
    for version, text in sorted(versions, key=lambda item: item[1] is not None):
        current.pop(version.path, None)
        if text is not None:
            current[version.path] = find_licence(text)
        last = version
    assert last is not None  # noqa: S101 - a group has at least one version
    return last
