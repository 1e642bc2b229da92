"""Read who made the tags: git knows the person of an annotated tag, and not that of a plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.collect.git.command import run_git
from advisor.collect.git.credit import Commit

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.domain.identities import Identities


def read_taggers(folder: Path, identities: Identities) -> dict[str, Commit]:
    """Return tag → its person; bots are left out.

    Raises:
        GitFailed: git failed.
    """
    form = "%(refname:lstrip=2)%00%(objectname)%00%(taggername)%00%(taggeremail:trim)"
    lines = run_git(folder, "for-each-ref", f"--format={form}", "refs/tags").split("\n")
    tags = [line.split("\0") for line in lines if line]
    return {
        tag: Commit(sha, name, mail, 0)
        for tag, sha, name, mail in tags
        if mail and not identities.is_machine(name, mail)
    }
