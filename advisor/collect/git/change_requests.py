"""Find change requests in a clone: GitHub publishes the head of each under ``refs/pull``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.authors import is_bot
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, ignore, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from advisor.collect.git.merge_evidence import Evidence

_REF = (
    "%(refname)%00%(committerdate:unix)%00%(objectname)%00%(objecttype)%00%(authorname)%00%(authoremail:trim)"
)
_NUMBER_REF = re.compile(r"refs/pull/([0-9]{1,9})/(head|merge)")
_LATEST = 2**62


class _Head(NamedTuple):
    time: int
    sha: str
    is_bot: bool


Refs = tuple[dict[int, _Head], set[int]]


def list_change_requests(
    refs: Refs,
    evidence: Evidence,
    mergers: Mapping[int, tuple[int, str | None]],
    retrieved_on: date,
) -> list[dict[str, Any]]:
    """Build the rows of ``threads``.

    Git does not store the day of opening: the date of the head stands in for it, at most the earliest merge of
    a later number, because GitHub numbers change requests in order. An unmerged change request without a merge
    ref was closed (or in conflict) by the day of retrieval. If a bot wrote the last commit, the change request
    is a bot's.

    Args:
        refs: result of `read_refs`.
        evidence: what shows which of them were merged, from `find_merges`.
        mergers: number of a change request → number of the person who merged it and the domain of the
            organisation whose address they used; None if unknown.
        retrieved_on: day on which the refs were fetched.
    """
    heads, mergeable = refs
    rows, earliest = [], _LATEST
    for number in sorted(heads, reverse=True):
        merge_time = evidence.times.get(number)
        earliest = min(earliest, merge_time or earliest)
        row: dict[str, Any] = {
            "kind": "change_request",
            "number": number,
            "opened_at": _format_time(min(heads[number].time, earliest)),
            "is_bot": heads[number].is_bot,
        }
        if merge_time is not None:
            person, domain = mergers.get(number, (None, None))
            row |= {
                "closed_at": _format_time(merge_time),
                "merged_at": _format_time(merge_time),
                "merged_by": person,
                "merged_by_organisation": domain,
            }
        elif number not in mergeable:
            closed, possible = evidence.closed.get(number), evidence.possible.get(number)
            row |= {
                "closed_at": closed and _format_time(closed),
                "closed_by": None if closed else f"{retrieved_on} 00:00:00",
                "possibly_merged_at": possible and _format_time(possible),
            }
        rows.append(row)
    return rows


def read_refs(folder: Path, warn: Warn = ignore) -> Refs:
    """Return the heads by number, and the numbers that GitHub can still merge."""
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
            heads[number] = _Head(seconds, sha, is_bot(name, mail))
        elif kind == "commit":
            undated_count += 1
    if undated_count:
        warn(f"{undated_count} change requests have a date that no calendar has: they are left out")
    return heads, mergeable


def _format_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
