"""Credit commits to people, and count them per day.

An agent's commit is credited to its first co-author who is a person, else to its committer if that is a
person; otherwise it stays the agent's. A service's commit stays the service's.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.dates import format_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.collect.git.clues import Identity
    from advisor.domain.identities import Identities

_GITHUB = "noreply@github.com"


class Commit(NamedTuple):
    """A commit with the author who gets the credit.

    Attributes:
        sha: its name.
        name, mail: of the author.
        time: seconds since 1970, UTC.
        is_bot: the author is a service or an agent.
        has_agent: an agent is its author or a co-author, or has assisted.
        co_authors: the other people who wrote it.
    """

    sha: str
    name: str
    mail: str
    time: int
    is_bot: bool = False
    has_agent: bool = False
    co_authors: tuple[Identity, ...] = ()


def credit_commit(commit: Commit, committer: Identity, identities: Identities) -> Commit:
    """Return a commit with the author who gets the credit, and with the other people who wrote it."""
    author = (commit.name, commit.mail)
    kind = identities.classify(*author)
    has_agent = commit.has_agent or "agent" in {kind, *(identities.classify(*c) for c in commit.co_authors)}
    people = [c for c in commit.co_authors if not identities.is_machine(*c)]
    if kind == "agent":
        is_person = committer[1].lower() != _GITHUB and not identities.is_machine(*committer)
        author = next(iter([*people, *([committer] if is_person else [])]), author)
    co_authors = tuple(c for c in people if c != author)
    is_bot = identities.is_machine(*author)
    return Commit(commit.sha, *author, commit.time, is_bot, has_agent, co_authors)


def count_contributions(
    commits: Sequence[Commit], people: Mapping[Identity, int], organisations: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Build the rows of ``contributions``: commits per day, person and organisation.

    Args:
        commits: commits without merges.
        people: (name, mail) → number of the person.
        organisations: mail → domain of the organisation.
    """
    keys = [(c.time // 86400, people[c.name, c.mail], organisations.get(c.mail), c.is_bot) for c in commits]
    counts = Counter(keys)
    agents = Counter(key for key, c in zip(keys, commits, strict=True) if c.has_agent)
    return [
        {
            "day": format_day(day * 86400),
            "author": author,
            "organisation": organisation,
            "is_bot": is_bot,
            "commits": count,
            "agent_commits": agents[day, author, organisation, is_bot],
        }
        for (day, author, organisation, is_bot), count in counts.items()
    ]


def count_co_authorships(commits: Sequence[Commit], people: Mapping[Identity, int]) -> list[dict[str, Any]]:
    """Build the rows of ``co_authorships``: commits per day that a person wrote for another author.

    Args:
        commits: commits without merges.
        people: (name, mail) → number of the person.
    """
    counts = Counter(
        (c.time // 86400, number)
        for c in commits
        for number in sorted({people[other] for other in c.co_authors} - {people[c.name, c.mail]})
    )
    return [
        {"day": format_day(day * 86400), "author": number, "commits": count}
        for (day, number), count in counts.items()
    ]
