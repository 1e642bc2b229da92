"""Tags that name a version, as releases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from advisor.collect.git.command import git
from advisor.collect.git.commits import day_of

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = re.compile(r"^(?:[a-z][a-z0-9_-]*[-_/])?v?\d+(?:\.\d+)+", re.IGNORECASE)
_PRERELEASE = re.compile(r"\d[-._]?(?:a|b|c|rc|alpha|beta|pre|preview|dev|nightly)[-._]?\d*", re.IGNORECASE)


def releases(folder: Path) -> list[dict[str, Any]]:
    """Rows of the table; the day is that of the tag, or of its commit where the tag has none."""
    tags = git(folder, "for-each-ref", "--format=%(refname:lstrip=2)%09%(creatordate:unix)", "refs/tags")
    rows = []
    for line in tags.split("\n"):
        tag, _, time = line.partition("\t")
        if time and _VERSION.match(tag):
            is_prerelease = bool(_PRERELEASE.search(tag))
            rows.append({"tag": tag, "released_on": day_of(int(time)), "is_prerelease": is_prerelease})
    return rows
