"""Read releases from the tags that name a version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from advisor.collect.git.command import run_git
from advisor.collect.git.commits import format_day

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = re.compile(r"^(?:[a-z][a-z0-9_-]*[-_/])?v?\d+(?:\.\d+)+", re.IGNORECASE)
_PRERELEASE = re.compile(r"\d[-._]?(?:a|b|c|rc|alpha|beta|pre|preview|dev|nightly)[-._]?\d*", re.IGNORECASE)


def read_releases(folder: Path) -> list[dict[str, Any]]:
    """Build the rows of ``releases``; the day is the tag's, or the commit's for a tag without a date."""
    tags = run_git(folder, "for-each-ref", "--format=%(refname:lstrip=2)%09%(creatordate:unix)", "refs/tags")
    rows = []
    for line in tags.split("\n"):
        tag, _, time = line.partition("\t")
        if time and _VERSION.match(tag):
            is_prerelease = bool(_PRERELEASE.search(tag))
            rows.append({"tag": tag, "released_on": format_day(int(time)), "is_prerelease": is_prerelease})
    return rows
