"""The commits of the default branch, and contributions: commits a day, person and organisation."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.authors import Commit, is_bot
from advisor.collect.git.command import git
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# What a commit did to a file: A(dded), M(odified), D(eleted), T(ype changed) or R(enamed); the path; the
# old path of a renamed one.
Change = tuple[str, str, str]
# Fields end in NUL, which no name, message or path can hold; no status of a file begins like a commit.
_COMMIT = "commit "
_FORMAT = "%x00".join((_COMMIT + "%H", "%P", "%ct", "%aN", "%aE", "%cN", "%cE", "%s"))


class Logged(NamedTuple):
    """A commit as the log prints it; a merge, with several parents, lists no changes.

    The time is the committer's, in seconds: it says when the commit came to be as it is, which an
    author's date, set by hand or years old, does not.
    """

    sha: str
    parents: str
    time: int
    author: tuple[str, str]
    committer: tuple[str, str]
    subject: str
    changes: list[Change]


def read_log(folder: Path) -> list[Logged]:
    """The default branch, newest first, its tip before all.

    Only renames without a change of contents are seen as renames: others need the contents, which a
    blobless clone does not have.

    Raises:
        GitFailed: nothing was committed yet, or git ended with an error.
    """
    try:
        log = git(
            folder, "log", "HEAD", "--use-mailmap", "--find-renames=100%", "--name-status", "-z",
            f"--format={_FORMAT}", "--",
        )  # fmt: skip
    except GitFailed as error:
        if "bad revision 'HEAD'" not in str(error):
            raise
        raise GitFailed(f"{folder}: the history is empty") from None
    return parse_log(log)


def parse_log(log: str) -> list[Logged]:
    """What the log printed, commit after commit.

    Raises:
        GitFailed: it is cut or mixed up.
    """
    try:
        return _parse(log)
    except (ValueError, LookupError, StopIteration, OverflowError):
        raise GitFailed("git log printed something that is no log: the history is cut or mixed up") from None


def _parse(log: str) -> list[Logged]:
    found: list[Logged] = []
    changes: list[Change] = []
    fields = iter(log.split("\0"))
    for field in fields:
        status = field.strip("\n")
        if status.startswith(_COMMIT):
            parents, time, *who, subject = islice(fields, 7)
            author, committer = (who[0], who[1]), (who[2], who[3])
            changes = []
            sha = status.removeprefix(_COMMIT)
            found.append(Logged(sha, parents, int(time), author, committer, subject, changes))
        elif status.startswith("R"):
            old = next(fields)
            changes.append(("R", next(fields), old))
        elif status:
            changes.append((status, next(fields), ""))
    return found


def written(log: Sequence[Logged]) -> tuple[list[Commit], list[list[Change]]]:
    """The commits that are no merges, oldest first, and what each did to which files."""
    single = sorted((c for c in reversed(log) if " " not in c.parents), key=lambda c: c.time)
    return [Commit(c.sha, *c.author, c.time) for c in single], [c.changes for c in single]


def contributions(
    commits: Sequence[Commit], people: Mapping[tuple[str, str], int], known: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of the table: commits a day, person and organisation.

    Args:
        commits: what was made.
        people: (name, mail) → number.
        known: mail → domain of the organisation.
    """
    bots = {identity for identity in people if is_bot(*identity)}
    made: dict[tuple[int, int, str | None, bool], int] = defaultdict(int)
    for c in commits:
        identity = (c.name, c.mail)
        made[c.time // 86400, people[identity], known.get(c.mail), identity in bots] += 1
    return [
        {"day": day_of(day * 86400), "author": author, "organisation": o, "is_bot": bot, "commits": n}
        for (day, author, o, bot), n in made.items()
    ]


def day_of(seconds: int) -> str:
    """The UTC day of a time in seconds since 1970, as ISO."""
    return (date(1970, 1, 1) + timedelta(days=seconds // 86400)).isoformat()
