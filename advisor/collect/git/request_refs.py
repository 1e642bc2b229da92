"""Read the refs of change requests: GitHub publishes the head of each under ``refs/pull``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, ignore, parse_time

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.domain.identities import Identities

_REF = (
    "%(refname)%00%(committerdate:unix)%00%(objectname)%00%(objecttype)%00%(authorname)%00%(authoremail:trim)"
)
_NUMBER_REF = re.compile(r"refs/pull/([0-9]{1,9})/(head|merge)")


class Head(NamedTuple):
    """The last commit of a change request: its time in seconds since 1970, and whether a bot wrote it."""

    time: int
    sha: str
    is_bot: bool


Refs = tuple[dict[int, Head], set[int]]
"""The heads by number, and the numbers that GitHub can still merge."""


def read_refs(folder: Path, identities: Identities, warn: Warn = ignore) -> Refs:
    """Return the heads by number, and the numbers that GitHub can still merge.

    Args:
        folder: the git directory.
        identities: the classes of authors.
        warn: receives a sentence about heads without a date.
    """
    heads, mergeable = {}, set()
    undated_count = 0
    for line in run_git(folder, "for-each-ref", f"--format={_REF}", "refs/pull").split("\n"):
        if not line:
            continue
        ref, time, sha, kind, name, mail = line.split("\0")
        match = _NUMBER_REF.fullmatch(ref)
        if not match:  # anybody can give a ref any name in a history of their own
            continue
        number = int(match[1])
        if match[2] == "merge":
            mergeable.add(number)
        elif (seconds := parse_time(time)) is not None:
            heads[number] = Head(seconds, sha, identities.is_machine(name, mail))
        elif kind == "commit":
            undated_count += 1
    if undated_count:
        warn(f"{undated_count} change requests have a date that no calendar has: they are left out")
    return heads, mergeable
