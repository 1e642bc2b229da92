"""Read releases from the tags that name a version."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, format_day, ignore, parse_time
from advisor.collect.git.tag_schemes import parse_tag

if TYPE_CHECKING:
    from pathlib import Path


def read_releases(folder: Path, package: str | None = None, warn: Warn = ignore) -> list[dict[str, Any]]:
    """Build the rows of ``releases``; the day is the tag's, or the commit's for a tag without a date.

    Args:
        folder: the repository.
        package: the package to look for. If tags name it, all others are left out. Tags without a package
            stay if one of them is newer by a year, because then the project has given up such names.
        warn: receives a sentence about tags that had to be left out.
    """
    tags = run_git(folder, "for-each-ref", "--format=%(refname:lstrip=2)%09%(creatordate:unix)", "refs/tags")
    rows = []
    undated_count = 0
    for line in tags.split("\n"):
        tag, _, time = line.partition("\t")
        if not time or (version := parse_tag(tag)) is None:
            continue
        seconds = parse_time(time)
        if seconds is None:
            undated_count += 1
            continue
        rows.append({"tag": tag, "released_on": format_day(seconds), **version._asdict()})
    if undated_count:
        warn(f"{undated_count} tags have a date that no calendar has: they are left out")
    own_rows = [row for row in rows if package and is_package(row["package"], package)]
    if not own_rows:
        return rows
    plain_rows = [row for row in rows if row["package"] is None]
    newest, newest_plain = (
        max((date.fromisoformat(row["released_on"]) for row in group), default=date.min)
        for group in (own_rows, plain_rows)
    )
    return [*own_rows, *plain_rows] if newest_plain - newest > timedelta(days=365) else own_rows


def is_package(name: str | None, package: str) -> bool:
    """Return whether a tag names a package, with or without its scope; names are compared as PyPI does."""
    return name is not None and _normalise(package) in {_normalise(name), _normalise(name.rpartition("/")[2])}


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
