"""Tell which change requests were merged: by a button, by a script, or by hand.

The evidence, the strongest first:

1. A commit of a branch names the change request as merged (`merge_patterns`).
2. Its head is a commit of the default branch.
3. A commit by its author closes it with one of GitHub's words ("Closes #12").
4. Its last or its first commit is on the default branch again, with the same author and the same time of
   writing: it was rebased, or squashed into its first commit.
5. One commit of the default branch by the same people has the same changes: equal object names, or an equal
   patch-id where the contents of the files are here.

What is left may have been merged in a way that nobody can see. This needs a commit on the default branch that
belongs to no other change request: one that mentions this one, or a later one by its author. In a year in
which less than a tenth of the closed ones were merged visibly, a later commit of anybody is enough.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git import patches
from advisor.collect.git.messages import Message, read_messages
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from advisor.collect.git.request_refs import Refs

_GITHUB = "noreply@github.com"
_SLACK_SECONDS = 86400  # clocks differ: a merge can seem to be older than what it merges
_MAX_OWN_COMMITS = 250  # as many as GitHub lists
_LEAST_VISIBLE = 10  # in one of so many merges: a project whose merges are rarer does not show them


class Evidence(NamedTuple):
    """What git shows about the merges: number → …, times in seconds since 1970.

    ``times``: of the merge. ``by_hand``: the commit of a merge that no message names. ``closures``: when
    a commit of somebody else closed it. ``possible``: when it may have been merged, if nothing shows that.
    """

    times: dict[int, int]
    by_hand: dict[int, str]
    closures: dict[int, int]
    possible: dict[int, int]


class _Search:
    """The commits of the default branch, and which of them belong to a change request."""

    def __init__(self, commits: Sequence[Message]) -> None:
        self.commits = {commit.sha: commit for commit in reversed(commits)}  # oldest first
        self.first_parents = _list_first_parents(commits)
        self.claims: set[str] = set()
        self.result = Evidence({}, {}, {}, {})

    def merge(self, number: int, commit: Message, *, by_hand: bool = True) -> None:
        """Record a merge; the first commit that shows it counts."""
        self.claims.add(commit.sha)
        if number not in self.result.times:
            self.result.times[number] = commit.time
            if by_hand:
                self.result.by_hand[number] = commit.sha


def find_merges(folder: Path, repository: str, refs: Refs) -> Evidence:
    """Return what the history shows about the merges of its change requests.

    Args:
        folder: the repository.
        repository: ``owner/name``.
        refs: the heads of its change requests, and the numbers of the open ones.
    """
    heads, mergeable = refs
    if not heads:
        return Evidence({}, {}, {}, {})
    search = _Search(list(read_messages(folder, repository, "HEAD", "--")))
    other_branches = list(read_messages(folder, repository, "--branches", "--remotes", "--not", "HEAD", "--"))
    _find_merge_messages(search, heads.keys(), other_branches)
    for number, head in heads.items():
        if head.sha in search.commits:
            search.merge(number, search.commits[head.sha], by_hand=False)
    open_heads = {n: h.sha for n, h in heads.items() if n not in search.result.times}
    own_commits = _read_own_commits(folder, repository, open_heads)
    authors = {n: {key for c in commits for key in c.writers} for n, commits in own_commits.items()}
    since = {n: heads[n].time - _SLACK_SECONDS for n in open_heads}
    _find_closures(search, authors, since)
    _find_copies(search, own_commits, since)
    other_commits = {
        n: own for n, own in own_commits.items() if n not in search.result.times and n not in mergeable
    }
    _find_same_patches(folder, search, other_commits, authors, since)
    closed_heads = {n: heads[n].time for n in since if n not in search.result.times and n not in mergeable}
    _find_possible(search, closed_heads, authors)
    _widen(search, {n: head.time for n, head in heads.items() if n not in mergeable}, closed_heads)
    return search.result


def _list_first_parents(commits: Sequence[Message]) -> set[str]:
    chain, next_sha = set(), commits[0].sha if commits else ""
    for commit in commits:
        if commit.sha == next_sha:
            chain.add(commit.sha)
            next_sha = commit.parents[0] if commit.parents else ""
    return chain


def _find_merge_messages(search: _Search, numbers: Iterable[int], other_branches: Sequence[Message]) -> None:
    """Find commits that name what they merge; on other branches only those that GitHub made."""
    numbers = set(numbers)
    for commit in search.commits.values():
        for number in commit.merges:
            search.claims.add(commit.sha)
            if number in numbers:
                search.merge(number, commit, by_hand=False)
    for commit in reversed(other_branches):
        if commit.committer_mail == _GITHUB:
            for number in commit.merges:
                if number in numbers:
                    search.merge(number, commit, by_hand=False)


def _read_own_commits(folder: Path, repository: str, heads: Mapping[int, str]) -> dict[int, list[Message]]:
    """Return the commits of each head that the default branch lacks, the last first, along first parents."""
    if not heads:
        return {}
    lines = [*dict.fromkeys(heads.values()), "^HEAD"]
    own = {c.sha: c for c in read_messages(folder, repository, "--first-parent", stdin=lines)}
    return {number: list(_walk(own, sha)) for number, sha in heads.items() if sha in own}


def _walk(commits: Mapping[str, Message], sha: str) -> Iterator[Message]:
    for _ in range(_MAX_OWN_COMMITS):
        if sha not in commits:
            return
        yield commits[sha]
        sha = commits[sha].parents[0] if commits[sha].parents else ""


def _find_closures(search: _Search, authors: Mapping[int, set[str]], since: Mapping[int, int]) -> None:
    for commit in search.commits.values():
        for number in commit.closures:
            if number not in authors or commit.time < since[number]:
                continue
            if authors[number] & commit.writers:
                search.merge(number, commit)
            else:
                search.result.closures.setdefault(number, commit.time)


def _find_copies(
    search: _Search, own_commits: Mapping[int, Sequence[Message]], since: Mapping[int, int]
) -> None:
    copies: dict[tuple[str, int], list[Message]] = defaultdict(list)
    for commit in search.commits.values():
        if len(commit.parents) < 2:
            copies[commit.author_mail, commit.author_time].append(commit)

    def find_copy(original: Message, number: int) -> Message | None:
        same = copies.get((original.author_mail, original.author_time), ())
        return next((c for c in same if c.sha not in search.claims and c.time >= since[number]), None)

    for is_first in (
        False,
        True,
    ):  # first all heads, so that a branch on top of another one does not take its place
        for number, commits in own_commits.items():
            if number in search.result.times:
                continue
            if copy := find_copy(commits[-1 if is_first else 0], number):
                search.merge(number, copy)
                search.claims.update(c.sha for own in commits if (c := find_copy(own, number)))


def _find_same_patches(
    folder: Path,
    search: _Search,
    own_commits: Mapping[int, Sequence[Message]],
    authors: Mapping[int, set[str]],
    since: Mapping[int, int],
) -> None:
    """Compare the changes of a whole branch with those of single commits by the same people."""
    heads = {
        number: commits[0]
        for number, commits in own_commits.items()
        if commits[-1].parents and commits[-1].parents[0] in search.commits
    }
    if not heads:
        return
    bases = {head.sha: own_commits[number][-1].parents[0] for number, head in heads.items()}
    oldest, writers = min(since[n] for n in heads), {key for n in heads for key in authors[n]}
    candidates = [
        c for c in _list_free_commits(search) if c.time >= oldest and writers & c.writers and c.parents
    ]
    bases |= {c.sha: c.parents[0] for c in candidates}
    try:
        changes = patches.list_changes(folder, bases)
    except GitFailed:  # a commit or its tree is missing: so is one kind of evidence
        return
    by_paths: dict[bytes, list[Message]] = defaultdict(list)
    for commit in candidates:
        if commit.sha in changes:
            by_paths[changes[commit.sha].paths].append(commit)
    pairs = [
        (number, head.sha, commit)
        for number, head in heads.items()
        if head.sha in changes
        for commit in by_paths.get(changes[head.sha].paths, ())
        if commit.time >= since[number] and authors[number] & commit.writers
    ]
    unclear = {sha for _, head, c in pairs if changes[head] != changes[c.sha] for sha in (head, c.sha)}
    patch_ids = patches.compute_patch_ids(folder, bases, sorted(unclear)) if unclear else {}
    for number, head_sha, commit in pairs:
        is_same = changes[head_sha] == changes[commit.sha] or (
            head_sha in patch_ids and patch_ids[head_sha] == patch_ids.get(commit.sha)
        )
        if is_same and commit.sha not in search.claims and number not in search.result.times:
            search.merge(number, commit)


def _list_free_commits(search: _Search) -> list[Message]:
    """Return the commits on the default branch itself that belong to no change request, oldest first."""
    commits = (c for c in search.commits.values() if c.sha in search.first_parents and len(c.parents) < 2)
    return sorted((c for c in commits if c.sha not in search.claims), key=lambda c: c.time)


def _find_possible(search: _Search, closed_heads: Mapping[int, int], authors: Mapping[int, set[str]]) -> None:
    possible = search.result.possible
    possible.update({n: time for n, time in search.result.closures.items() if n in closed_heads})
    by_author: dict[str, list[Message]] = defaultdict(list)
    for commit in _list_free_commits(search):
        for key in commit.writers:
            by_author[key].append(commit)
        for number in commit.mentions:
            if number in closed_heads and commit.time >= closed_heads[number] - _SLACK_SECONDS:
                possible.setdefault(number, commit.time)
                search.claims.add(commit.sha)
    _assign(
        search,
        closed_heads,
        lambda n: [by_author[key] for key in sorted(authors.get(n, ())) if key in by_author],
    )


def _widen(search: _Search, ended: Mapping[int, int], closed_heads: Mapping[int, int]) -> None:
    """Let any commit be a merge in years whose change requests were hardly ever merged visibly."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for number, time in ended.items():
        totals[_year(time)][0] += number in search.result.times
        totals[_year(time)][1] += 1
    years = {year for year, (merges, total) in totals.items() if _LEAST_VISIBLE * merges < total}
    commits = _list_free_commits(search)
    _assign(search, {n: t for n, t in closed_heads.items() if _year(t) in years}, lambda _: [commits])


def _assign(
    search: _Search, heads: Mapping[int, int], list_commits: Callable[[int], Sequence[Sequence[Message]]]
) -> None:
    """Give each head the first later commit of its lists that no other one has."""
    positions: dict[int, int] = defaultdict(int)
    for number, time in sorted(heads.items(), key=lambda item: item[1]):
        if number in search.result.possible:
            continue
        for commits in list_commits(number):
            at = positions[
                id(commits)
            ]  # heads come in the order of their times, so earlier commits are too old
            while at < len(commits) and (commits[at].sha in search.claims or commits[at].time < time):
                at += 1
            positions[id(commits)] = at
            if at < len(commits):
                search.claims.add(commits[at].sha)
                search.result.possible[number] = commits[at].time
                break


def _year(time: int) -> int:
    return datetime.fromtimestamp(time, UTC).year
