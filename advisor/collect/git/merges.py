"""Find who merged a change request, from git alone.

The author of a merge commit is the merger, on GitHub and with git. For a single commit of the default branch
that names a change request ("Add x (#12)"), or that is one ("Closes #12", a rebased head), the committer is
the merger. The merger is unknown if the committer is GitHub (a squash on GitHub does not record the person)
or a bot. Often most mergers are unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.collect.git.credit import Commit
from advisor.collect.git.merge_patterns import parse_merged_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.collect.git.commits import LogEntry
    from advisor.domain.identities import Identities

_GITHUB = "noreply@github.com"


def find_mergers(
    log: Sequence[LogEntry], repository: str, by_hand: Mapping[int, str], identities: Identities
) -> dict[int, Commit]:
    """Return change request number → the commit that merged it, with the merger's name and address.

    Only first parents count, because commits of a merged branch can name other change requests. If several
    commits name the same change request, the first one counts.

    Args:
        log: commits of the default branch, newest first.
        repository: ``owner/name``.
        by_hand: number of a change request → name of the commit that merged it by hand.
        identities: the classes of authors.
    """
    merges: dict[int, Commit | None] = {}
    for commit in reversed(_list_first_parents(log)):
        for number in parse_merged_numbers(commit.subject, repository, is_subject=True):
            merges.setdefault(number, _find_merger(commit, identities))
    commits = {commit.sha: commit for commit in log} if by_hand else {}
    for number, sha in by_hand.items():
        if sha in commits:
            merges.setdefault(number, _find_merger(commits[sha], identities))
    return {number: commit for number, commit in merges.items() if commit is not None}


def _find_merger(commit: LogEntry, identities: Identities) -> Commit | None:
    name, mail = commit.author if " " in commit.parents else commit.committer
    is_person = mail.lower() != _GITHUB and not identities.is_machine(name, mail)
    return Commit(commit.sha, name, mail, commit.time) if is_person else None


def _list_first_parents(log: Sequence[LogEntry]) -> list[LogEntry]:
    """Return the first-parent chain of the default branch, newest first."""
    chain, next_sha = [], log[0].sha if log else ""
    for commit in log:
        if commit.sha == next_sha:
            chain.append(commit)
            next_sha = commit.parents.partition(" ")[0]
    return chain
