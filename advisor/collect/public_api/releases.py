"""Choose the releases whose public API is compared: the final ones, each with a version above all before it.

A later patch of an older series is left out, because its API does not follow that of the release before it
in time. A new release never changes the list before it, so the list holds as of any day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion, Version

from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, ignore
from advisor.collect.git.releases import read_releases

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_YEAR = 1990  # a larger first number is a year


class Release(NamedTuple):
    """A final release of the main line; `find_step` says what its step is.

    Attributes:
        tag: its tag, or the name of its file on a package index.
        commit: the commit of the tag; "" on a package index.
    """

    tag: str
    version: Version
    day: str
    commit: str
    step: str | None


def list_main_line(folder: Path, package: str | None = None, warn: Warn = ignore) -> list[Release]:
    """Return the releases of the main line, oldest first.

    Args:
        folder: the repository.
        package: the package, in a repository of several.
        warn: receives sentences about tags that had to be left out.
    """
    commits = _read_commits(folder)
    releases = []
    for row in read_releases(folder, package, warn):
        version = read_version(row["tag"])
        is_final = version is not None and not version.is_prerelease and not row["is_prerelease"]
        if version is not None and is_final and (commit := commits.get(row["tag"])):
            releases.append(Release(row["tag"], version, row["released_on"], commit, None))
    return choose_main_line(releases)


def choose_main_line(releases: Iterable[Release]) -> list[Release]:
    """Return the releases with a version above all before, oldest first, with their steps."""
    line: list[Release] = []
    for release in sorted(releases, key=lambda r: (r.day, r.version, r.tag)):
        previous = line[-1].version if line else None
        if previous is None or release.version > previous:
            line.append(release._replace(step=find_step(previous, release.version)))
    return line


def read_version(tag: str) -> Version | None:
    """Return the version at the end of a tag (``v1.2``, ``trl@v1.2``, ``r_1_2``); None if it has none."""
    for start in re.finditer(r"(?<![\d.])\d", tag[:200]):
        try:
            return Version(tag[start.start() :].replace("_", "."))
        except InvalidVersion:
            continue
    return None


def find_step(old: Version | None, new: Version) -> str | None:
    """Return which number of the version a release raises: major, minor or patch; first for the first one.

    None: the versions are dates, whose numbers say nothing about changes. Before version 1.0, semantic
    versioning allows every change, and the second number has the meaning of the first.
    """
    if new.major >= _FIRST_YEAR:
        return None
    if old is None:
        return "first"
    if new.epoch != old.epoch or new.major != old.major:
        return "major"
    if new.minor != old.minor:
        return "minor" if new.major else "major"
    return "patch"


def _read_commits(folder: Path) -> dict[str, str]:
    """Return tag → commit; other objects can have tags too."""
    output = run_git(
        folder,
        "for-each-ref",
        "--format=%(refname:lstrip=2)%09%(objecttype) %(objectname)%09%(*objecttype) %(*objectname)",
        "refs/tags",
    )
    commits = {}
    for line in output.splitlines():
        tag, own, target = line.split("\t")
        for text in (target, own):
            kind, _, name = text.partition(" ")
            if kind == "commit":
                commits[tag] = name
                break
    return commits
