"""Find who merged a change request, from git alone.

The author of a merge commit is the merger, on GitHub and with git. For a single commit of the default branch
that names a change request ("Add x (#12)"), the committer is the merger. The merger is unknown if the
committer is GitHub (a squash on GitHub does not record the person) or a bot. Often most mergers are unknown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from advisor.collect.git.authors import Commit, is_bot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.collect.git.commits import LogEntry

_REQUEST_IN_SUBJECT = re.compile(r"\(#([0-9]{1,9})\)\s*$|^Merge pull request #([0-9]{1,9})\b")
_GITHUB = "noreply@github.com"


def parse_request_number(subject: str) -> int | None:
    """Return the number of the change request that a commit subject names, or None."""
    match = _REQUEST_IN_SUBJECT.search(subject)
    return int(match[1] or match[2]) if match else None


def find_mergers(log: Sequence[LogEntry]) -> dict[int, Commit]:
    """Return change request number → the commit that merged it, with the merger's name and address.

    Only first parents count, because commits of a merged branch can name other change requests. If several
    commits name the same change request, the first one counts.
    """
    merges: dict[int, Commit | None] = {}
    for commit in reversed(_list_first_parents(log)):
        number = parse_request_number(commit.subject)
        if number is not None and number not in merges:
            name, mail = commit.author if " " in commit.parents else commit.committer
            is_person = mail.lower() != _GITHUB and not is_bot(name, mail)
            merges[number] = Commit(commit.sha, name, mail, commit.time) if is_person else None
    return {number: commit for number, commit in merges.items() if commit is not None}


def _list_first_parents(log: Sequence[LogEntry]) -> list[LogEntry]:
    """Return the first-parent chain of the default branch, newest first."""
    chain, next_sha = [], log[0].sha if log else ""
    for commit in log:
        if commit.sha == next_sha:
            chain.append(commit)
            next_sha = commit.parents.partition(" ")[0]
    return chain
