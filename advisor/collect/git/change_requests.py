"""Change requests as git knows them: GitHub keeps the head of each under ``refs/pull``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.authors import is_bot
from advisor.collect.git.command import git
from advisor.collect.git.merges import NAMES_REQUEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REF = "%(refname)%00%(committerdate:unix)%00%(objectname)%00%(authorname)%00%(authoremail:trim)"
_LATEST = 2**62


class _Head(NamedTuple):
    time: int
    sha: str
    is_bot: bool


def change_requests(
    folder: Path, retrieved_on: date, mergers: Mapping[int, tuple[int, str | None]]
) -> list[dict[str, Any]]:
    """Rows of ``threads``.

    Merged is what a commit of the default branch names ("(#12)", "Merge pull request #12") or
    whose head is an ancestor. Git does not know when a request was opened: the date of its head is
    taken, cut at the earliest merge of any later number, since numbers are given in order. An
    unmerged request without a merge ref is closed (or in conflict) by the day of retrieval. A bot's
    is one whose last commit a bot wrote.

    Args:
        folder: the repository.
        retrieved_on: when its refs were fetched.
        mergers: number of a request → number of the person who merged it, and the domain of the
            organisation whose address they used, where either is known.
    """
    heads, mergeable = _refs(folder)
    merged = _merged(folder, heads) if heads else {}
    rows, earliest = [], _LATEST
    for number in sorted(heads, reverse=True):
        done = merged.get(number)
        earliest = min(earliest, done or earliest)
        row: dict[str, Any] = {
            "kind": "change_request",
            "number": number,
            "opened_at": _moment(min(heads[number].time, earliest)),
            "is_bot": heads[number].is_bot,
        }
        if done is not None:
            person, domain = mergers.get(number, (None, None))
            row |= {
                "closed_at": _moment(done),
                "merged_at": _moment(done),
                "merged_by": person,
                "merged_by_organisation": domain,
            }
        elif number not in mergeable:
            row |= {"closed_by": f"{retrieved_on} 00:00:00"}
        rows.append(row)
    return rows


def _refs(folder: Path) -> tuple[dict[int, _Head], set[int]]:
    """Heads by number, and the numbers that GitHub could still merge."""
    heads, mergeable = {}, set()
    for line in git(folder, "for-each-ref", f"--format={_REF}", "refs/pull").split("\n"):
        if not line:
            continue
        ref, time, sha, name, mail = line.split("\0")
        number = int(ref.split("/")[2])
        if ref.endswith("/merge"):
            mergeable.add(number)
        elif ref.endswith("/head") and time:
            heads[number] = _Head(int(time), sha, is_bot(name, mail))
    return heads, mergeable


def _merged(folder: Path, heads: dict[int, _Head]) -> dict[int, int]:
    """Number → time of merging, in seconds."""
    log = git(folder, "log", "HEAD", "-z", "--format=%H%x1f%ct%x1f%s", "--")
    times: dict[str, int] = {}
    merged: dict[int, int] = {}
    for record in filter(None, log.split("\0")):
        sha, time, subject = record.split("\x1f", 2)
        times[sha] = int(time)
        if found := NAMES_REQUEST.search(subject):
            number = int(found[1] or found[2])
            merged[number] = min(merged.get(number, _LATEST), int(time))
    for number, head in heads.items():
        if head.sha in times:
            merged.setdefault(number, times[head.sha])
    return merged


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
