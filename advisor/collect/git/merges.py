"""Who merged a change request, as far as git tells.

A merge commit is its merger's: GitHub writes the merger as its author, and so does git. A single commit
of the default branch that names a request ("Add x (#12)") was put there by its committer, unless that is GitHub
itself: squashing on GitHub leaves no trace of who pressed the button. A merge bot stands for
somebody who is not named. What is left is not known, and most of it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from advisor.collect.authors import Commit, is_bot
from advisor.collect.git.command import git

if TYPE_CHECKING:
    from pathlib import Path

NAMES_REQUEST = re.compile(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)\b")
_FORMAT = "%H%x00%P%x00%ct%x00%aN%x00%aE%x00%cN%x00%cE%x00%s"
_FIELDS = _FORMAT.count("%x00") + 1
_GITHUB = "noreply@github.com"


def merges(folder: Path) -> dict[int, Commit]:
    """Number of a change request → the commit that brought it in, with the merger's name and address.

    Read along first parents: what a branch's own commits say of a request does not merge it. If several
    commits name one, the first counts.
    """
    log = git(folder, "log", "HEAD", "--first-parent", "--use-mailmap", "-z", f"--format={_FORMAT}", "--")
    found: dict[int, Commit] = {}
    fields = iter(log.split("\0")[:-1])
    for sha, parents, time, *who, subject in zip(*[fields] * _FIELDS, strict=True):
        if (named := NAMES_REQUEST.search(subject)) is None:
            continue
        number = int(named[1] or named[2])
        found.pop(number, None)  # newest first: the one that is met last was the first
        name, mail = who[:2] if " " in parents else who[2:]
        if mail.lower() != _GITHUB and not is_bot(name, mail):
            found[number] = Commit(sha, name, mail, int(time))
    return found
