"""Merge the identities (name and address) of a history into people.

Evidence joins two identities, the strongest first: the account of GitHub, the address, the handle, the full
name. Evidence that many people share joins nobody: no address, a first name, "root". A person has at most one
account of GitHub, so no chain of evidence joins two accounts. Git has applied a .mailmap before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from advisor.collect.git.clues import (
    Clues,
    Identity,
    find_clear_tokens,
    find_handles,
    look_alike,
    read_clues,
    squeeze,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_FEW_COMMITS = 2  # so many under another person's address come from a borrowed machine…
_SMALL_SHARE = 0.05  # …and so does this share of the commits of the address
_SHARED_BY = 3  # an address with so many different names is not one person's


class _People:
    """Sets of identities (by number) that are one person (union-find)."""

    def __init__(self, clues: Sequence[Clues]) -> None:
        self._parents = list(range(len(clues)))
        self._accounts = [clue.account for clue in clues]
        self._names = [[clue] if clue.full_name else [] for clue in clues]

    def find(self, n: int) -> int:
        """Return the number that stands for the person of an identity."""
        while self._parents[n] != n:
            self._parents[n] = self._parents[self._parents[n]]
            n = self._parents[n]
        return n

    def join(self, one: int, other: int, *, by_name: bool = False) -> None:
        """Join two people, unless they have two accounts, or names that differ where names must agree."""
        one, other = self.find(one), self.find(other)
        accounts = {self._accounts[one], self._accounts[other]} - {""}
        if one == other or len(accounts) > 1:
            return
        names, more = self._names[one], self._names[other]
        if by_name and names and more and not any(look_alike(a, b) for a in names for b in more):
            return
        self._parents[other] = one
        self._accounts[one] = self._accounts[one] or self._accounts[other]
        self._names[one] = names + more


def merge_identities(counts: Mapping[Identity, int]) -> dict[Identity, int]:
    """Number the people behind identities, in the order of the identities.

    Args:
        counts: identity → number of its commits.

    Returns:
        Identity → number of its person, from 0.
    """
    identities = list(counts)
    clues = read_clues(identities)
    commits = [counts[identity] for identity in identities]
    handles = find_handles(identities, clues)
    clear, local = find_clear_tokens(clues, handles)
    people = _People(clues)

    def join_groups(read_keys: Callable[[Clues], tuple[str, ...]], *, by_name: bool = False) -> None:
        for group in _group(clues, commits, read_keys):
            for n in group[1:]:
                people.join(group[0], n, by_name=by_name)

    join_groups(lambda c: (c.account,))
    totals = _count_by_name(clues, commits)
    for group in _group(clues, commits, lambda c: (c.mail,)):
        for one, other in _list_pairs(group, clues, commits, totals):
            people.join(one, other)
    join_groups(lambda c: (c.login, c.word if c.word in handles else ""))
    join_groups(lambda c: (c.full_name,))
    join_groups(lambda c: tuple(sorted(c.tokens() & clear)), by_name=True)
    for first, *others in _group(clues, commits, lambda c: tuple({squeeze(c.local)} & local)):
        for n in others:
            if clues[n].words and clues[first].words and look_alike(clues[n], clues[first]):
                people.join(first, n)
    numbers: dict[int, int] = {}
    return {i: numbers.setdefault(people.find(n), len(numbers)) for n, i in enumerate(identities)}


def _group(
    clues: Sequence[Clues], commits: Sequence[int], read_keys: Callable[[Clues], tuple[str, ...]]
) -> list[list[int]]:
    """Return the identities with a key in common, those with most commits first."""
    groups: dict[str, list[int]] = defaultdict(list)
    for n in sorted(range(len(clues)), key=lambda n: -commits[n]):
        for key in read_keys(clues[n]):
            if key:
                groups[key].append(n)
    return [group for group in groups.values() if len(group) > 1]


def _count_by_name(clues: Sequence[Clues], commits: Sequence[int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for clue, count in zip(clues, commits, strict=True):
        totals[clue.full_name or clue.word] += count
    return totals


def _list_pairs(
    group: Sequence[int], clues: Sequence[Clues], commits: Sequence[int], totals: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of one person among the identities of one address, those with most commits first.

    A name that looks like none before it is another person's if the address has three such names, or if its
    few commits come from a borrowed machine: the same name has more commits elsewhere.
    """
    owners: list[int] = []
    total = sum(commits[n] for n in group)
    is_shared = _count_different([clues[n] for n in group if clues[n].full_name]) >= _SHARED_BY
    for n in group:
        name, count = clues[n].full_name, commits[n]
        is_few = count <= max(_FEW_COMMITS, _SMALL_SHARE * total)
        is_borrowed = bool(name) and is_few and totals[name] > 2 * count
        for owner in owners:
            is_other = is_shared or (is_borrowed and bool(clues[owner].full_name))
            if look_alike(clues[owner], clues[n]) or not is_other:
                yield owner, n
                break
        else:
            owners.append(n)


def _count_different(names: Sequence[Clues]) -> int:
    different: list[Clues] = []
    for name in names:
        if not any(look_alike(name, other) for other in different):
            different.append(name)
    return len(different)
