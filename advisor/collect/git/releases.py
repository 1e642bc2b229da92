"""Read releases from the tags that name a version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, format_day, ignore, parse_time

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = re.compile(r"^(?:[a-z][a-z0-9_-]*[-_/])?v?\d+(?:\.\d+)+", re.IGNORECASE)
_PRERELEASE = re.compile(r"\d[-._]?(?:a|b|c|rc|alpha|beta|pre|preview|dev|nightly)[-._]?\d*", re.IGNORECASE)


def read_releases(folder: Path, warn: Warn = ignore) -> list[dict[str, Any]]:
    """Build the rows of ``releases``; the day is the tag's, or the commit's for a tag without a date."""
    tags = run_git(folder, "for-each-ref", "--format=%(refname:lstrip=2)%09%(creatordate:unix)", "refs/tags")
    rows = []
    undated_count = 0
    for line in tags.split("\n"):
        tag, _, time = line.partition("\t")
        if time and _VERSION.match(tag):
            seconds = parse_time(time)
            if seconds is None:
                undated_count += 1
                continue
            is_prerelease = bool(_PRERELEASE.search(tag))
            rows.append({"tag": tag, "released_on": format_day(seconds), "is_prerelease": is_prerelease})
    if undated_count:
        warn(f"{undated_count} tags have a date that no calendar has: they are left out")
    return rows
