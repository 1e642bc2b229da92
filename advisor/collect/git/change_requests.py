"""Change requests as git knows them: GitHub keeps the head of each under ``refs/pull``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.authors import is_bot
from advisor.collect.git.command import git
from advisor.collect.git.merges import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from advisor.collect.git.commits import Logged

_REF = "%(refname)%00%(committerdate:unix)%00%(objectname)%00%(authorname)%00%(authoremail:trim)"
_LATEST = 2**62


class _Head(NamedTuple):
    time: int
    sha: str
    is_bot: bool


Refs = tuple[dict[int, _Head], set[int]]


def change_requests(
    refs: Refs,
    log: Sequence[Logged],
    mergers: Mapping[int, tuple[int, str | None]],
    retrieved_on: date,
) -> list[dict[str, Any]]:
    """Rows of ``threads``.

    Merged is what a commit of the default branch names ("(#12)", "Merge pull request #12") or
    whose head is an ancestor. Git does not know when a request was opened: the date of its head is
    taken, cut at the earliest merge of any later number, since numbers are given in order. An
    unmerged request without a merge ref is closed (or in conflict) by the day of retrieval. A bot's
    is one whose last commit a bot wrote.

    Args:
        refs: as `read_refs` gives them.
        log: the default branch.
        mergers: number of a request → number of the person who merged it, and the domain of the
            organisation whose address they used, where either is known.
        retrieved_on: when the refs were fetched.
    """
    heads, mergeable = refs
    merged = _merged(log, heads)
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


def read_refs(folder: Path) -> Refs:
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


def _merged(log: Sequence[Logged], heads: Mapping[int, _Head]) -> dict[int, int]:
    """Number → time of merging, in seconds."""
    merged: dict[int, int] = {}
    for commit in log:
        if (number := number_of(commit.subject)) is not None:
            merged[number] = min(merged.get(number, _LATEST), commit.time)
    times = {commit.sha: commit.time for commit in log}
    for number, head in heads.items():
        if head.sha in times:
            merged.setdefault(number, times[head.sha])
    return merged


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
