"""Who merged a change request, as far as git tells.

A merge commit is its merger's: GitHub writes the merger as its author, and so does git. A single commit
of the default branch that names a request ("Add x (#12)") was put there by its committer, unless that is
GitHub itself: squashing on GitHub leaves no trace of who pressed the button. A merge bot stands for
somebody who is not named. Of the rest, often the most, nobody can tell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from advisor.collect.git.authors import Commit, is_bot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.collect.git.commits import Logged

_NAMES_REQUEST = re.compile(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)\b")
_GITHUB = "noreply@github.com"


def number_of(subject: str) -> int | None:
    """The change request that a commit's subject names."""
    named = _NAMES_REQUEST.search(subject)
    return int(named[1] or named[2]) if named else None


def mergers(log: Sequence[Logged]) -> dict[int, Commit]:
    """Number of a change request → the commit that brought it in, with the merger's name and address.

    Only first parents count: what a branch's own commits say of a request does not merge it. If several
    commits name one, the first counts.
    """
    found = {}
    for commit in reversed(_own_line(log)):
        number = number_of(commit.subject)
        if number is not None and number not in found:
            name, mail = commit.author if " " in commit.parents else commit.committer
            known = mail.lower() != _GITHUB and not is_bot(name, mail)
            found[number] = Commit(commit.sha, name, mail, commit.time) if known else None
    return {number: commit for number, commit in found.items() if commit is not None}


def _own_line(log: Sequence[Logged]) -> list[Logged]:
    """The default branch's own commits, newest first: the tip, its first parent, the first parent of that."""
    line, following = [], log[0].sha if log else ""
    for commit in log:
        if commit.sha == following:
            line.append(commit)
            following = commit.parents.partition(" ")[0]
    return line
