"""Read releases from the tags that name a version."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, format_day, ignore, parse_time
from advisor.collect.git.tag_schemes import is_python, parse_tag

if TYPE_CHECKING:
    from pathlib import Path


def read_releases(folder: Path, package: str | None = None, warn: Warn = ignore) -> list[dict[str, Any]]:
    """Build the rows of ``releases``; the day is the tag's, or the commit's for a tag without a date.

    Git before 2005-07 wrote no tagger and no date into annotated tags, so their commit has the day.
    The tags of another project, which came with its history, are left out.

    Args:
        folder: the repository.
        package: the package to look for. If tags name it, or only say that they are for Python, all others
            are left out. Tags without a package stay if one of them is newer by a year, because then the
            project has given up such names.
        warn: receives a sentence about tags that had to be left out.
    """
    tags = run_git(folder, "for-each-ref", "--format=%(refname:lstrip=2)%09%(creatordate:unix)", "refs/tags")
    rows = []
    undated_count = 0
    times = dict(line.split("\t", 1) for line in tags.split("\n") if line)
    times |= _read_commit_times(folder, [tag for tag, time in times.items() if not time and parse_tag(tag)])
    for tag, time in times.items():
        if not time or (version := parse_tag(tag)) is None:
            continue
        seconds = parse_time(time)
        if seconds is None:
            undated_count += 1
            continue
        rows.append({"tag": tag, "released_on": format_day(seconds), **version._asdict()})
    foreign_tags = _find_foreign_tags(folder, rows)
    if foreign_tags:
        rows = [row for row in rows if row["tag"] not in foreign_tags]
        warn(f"{len(foreign_tags)} tags of another project, such as {min(foreign_tags)}, are left out")
    if undated_count:
        warn(f"{undated_count} tags have a date that no calendar has: they are left out")
    own_rows = [row for row in rows if package and is_package(row["package"], package)]
    if not own_rows:
        own_rows = [row for row in rows if package and is_python(row["package"], package)]
    if not own_rows:
        return rows
    plain_rows = [row for row in rows if row["package"] is None]
    newest, newest_plain = (
        max((date.fromisoformat(row["released_on"]) for row in group), default=date.min)
        for group in (own_rows, plain_rows)
    )
    return [*own_rows, *plain_rows] if newest_plain - newest > timedelta(days=365) else own_rows


def _find_foreign_tags(folder: Path, rows: list[dict[str, Any]]) -> set[str]:
    """Return the tags of other projects, whose histories came into the repository.

    Such a tag does not contain the first commit of the project, though an older tag does. Tags older than
    all others can be of the project before somebody rewrote its history, so they stay.
    """
    root = run_git(folder, "rev-list", "--first-parent", "--max-parents=0", "HEAD").split()
    if not root:
        return set()
    form, condition = "--format=%(refname:lstrip=2)", f"--contains={root[-1]}"
    own_tags = set(run_git(folder, "for-each-ref", form, condition, "refs/tags").split("\n"))
    own_days = [row["released_on"] for row in rows if row["tag"] in own_tags]
    return {
        row["tag"]
        for row in rows
        if row["tag"] not in own_tags and own_days and row["released_on"] > min(own_days)
    }


def _read_commit_times(folder: Path, tags: list[str]) -> dict[str, str]:
    """Return tag → time of the commit that an annotated tag names; "" if it names none."""
    form = "--format=%(refname:lstrip=2)%09%(*committerdate:unix)"
    times: dict[str, str] = {}
    for start in range(0, len(tags), 1000):
        names = (f"refs/tags/{tag}" for tag in tags[start : start + 1000])
        lines = run_git(folder, "for-each-ref", form, *names).split("\n")
        times |= dict(line.split("\t", 1) for line in lines if line)
    return times


def is_package(name: str | None, package: str) -> bool:
    """Return whether a tag names a package, with or without its scope; names are compared as PyPI does."""
    return name is not None and _normalise(package) in {_normalise(name), _normalise(name.rpartition("/")[2])}


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
