"""Read the commits of the default branch; count contributions per day, person and organisation."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.authors import Commit, is_bot
from advisor.collect.git.command import run_git
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# A change of a file: A(dded), M(odified), D(eleted), T(ype changed) or R(enamed); the path; the old path
# of a renamed file.
Change = tuple[str, str, str]
# Fields end in NUL, which no name, subject or path contains; no file status begins with "commit ".
_COMMIT = "commit "
_FORMAT = "%x00".join((_COMMIT + "%H", "%P", "%ct", "%aN", "%aE", "%cN", "%cE", "%s"))


class LogEntry(NamedTuple):
    """A commit of ``git log``; a merge (several parents) lists no changes.

    ``time`` is the committer's date in seconds since 1970. The author's date can be years older, or set by
    hand.
    """

    sha: str
    parents: str
    time: int
    author: tuple[str, str]
    committer: tuple[str, str]
    subject: str
    changes: list[Change]


def read_log(folder: Path) -> list[LogEntry]:
    """Return the commits of the default branch, newest first; the first one is its tip.

    A rename counts as a rename only if the contents are unchanged: other renames need file contents,
    which a blobless clone does not have.

    Raises:
        GitFailed: the history is empty, or git failed.
    """
    try:
        log = run_git(
            folder, "log", "HEAD", "--use-mailmap", "--find-renames=100%", "--name-status", "-z",
            f"--format={_FORMAT}", "--",
        )  # fmt: skip
    except GitFailed as error:
        if "bad revision 'HEAD'" not in str(error):
            raise
        raise GitFailed(f"{folder}: the history is empty") from None
    return parse_log(log)


def parse_log(log: str) -> list[LogEntry]:
    """Parse the output of ``git log``.

    Raises:
        GitFailed: the output is truncated or interleaved.
    """
    try:
        return _parse(log)
    except (ValueError, LookupError, StopIteration, OverflowError):
        raise GitFailed("cannot parse the output of git log: it is truncated or interleaved") from None


def _parse(log: str) -> list[LogEntry]:
    entries: list[LogEntry] = []
    changes: list[Change] = []
    fields = iter(log.split("\0"))
    for field in fields:
        status = field.strip("\n")
        if status.startswith(_COMMIT):
            parents, time, *who, subject = islice(fields, 7)
            author, committer = (who[0], who[1]), (who[2], who[3])
            changes = []
            sha = status.removeprefix(_COMMIT)
            entries.append(LogEntry(sha, parents, int(time), author, committer, subject, changes))
        elif status.startswith("R"):
            old = next(fields)
            changes.append(("R", next(fields), old))
        elif status:
            changes.append((status, next(fields), ""))
    return entries


def list_nonmerge_commits(log: Sequence[LogEntry]) -> tuple[list[Commit], list[list[Change]]]:
    """Return the commits that are not merges, oldest first, and the changes of each."""
    single = sorted((c for c in reversed(log) if " " not in c.parents), key=lambda c: c.time)
    return [Commit(c.sha, *c.author, c.time) for c in single], [c.changes for c in single]


def count_contributions(
    commits: Sequence[Commit], people: Mapping[tuple[str, str], int], organisations: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Build the rows of ``contributions``: commits per day, person and organisation.

    Args:
        commits: commits without merges.
        people: (name, mail) → number of the person.
        organisations: mail → domain of the organisation.
    """
    bots = {identity for identity in people if is_bot(*identity)}
    counts: dict[tuple[int, int, str | None, bool], int] = defaultdict(int)
    for c in commits:
        identity = (c.name, c.mail)
        counts[c.time // 86400, people[identity], organisations.get(c.mail), identity in bots] += 1
    return [
        {"day": format_day(day * 86400), "author": author, "organisation": o, "is_bot": bot, "commits": n}
        for (day, author, o, bot), n in counts.items()
    ]


def format_day(seconds: int) -> str:
    """Return the UTC day (YYYY-MM-DD) of a time in seconds since 1970."""
    return (date(1970, 1, 1) + timedelta(days=seconds // 86400)).isoformat()
