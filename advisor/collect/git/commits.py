"""The commits of the default branch, and contributions: commits a day, person and organisation."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from advisor.collect.authors import Commit, is_bot
from advisor.collect.git.command import git

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# What a commit did to a file: A(dded), M(odified), D(eleted), T(ype changed) or R(enamed); the path; the
# old path of a renamed one.
Change = tuple[str, str, str]
# Fields end in NUL, which no name, message or path can hold; no status of a file begins like a commit.
_COMMIT = "commit "
_FORMAT = "%x00".join((_COMMIT + "%H", "%aN", "%aE", "%ct"))


def read_commits(folder: Path) -> tuple[list[Commit], list[list[Change]]]:
    """The default branch's commits without merges, oldest first, and what each did to which files.

    The time is the committer's: it says when the commit came to be as it is, which an author's
    date, set by hand or years old, does not. Only renames without a change of contents are seen as
    renames: others need the contents, which a blobless clone does not have.
    """
    log = git(
        folder, "log", "HEAD", "--no-merges", "--use-mailmap", "--find-renames=100%", "--name-status", "-z",
        f"--format={_FORMAT}", "--",
    )  # fmt: skip
    commits: list[Commit] = []
    changes: list[list[Change]] = []
    fields = iter(log.split("\0"))
    for field in fields:
        status = field.strip("\n")
        if status.startswith(_COMMIT):
            commits.append(
                Commit(status.removeprefix(_COMMIT), next(fields), next(fields), int(next(fields)))
            )
            changes.append([])
        elif status.startswith("R"):
            old = next(fields)
            changes[-1].append(("R", next(fields), old))
        elif status:
            changes[-1].append((status, next(fields), ""))
    order = sorted(range(len(commits) - 1, -1, -1), key=lambda i: commits[i].time)
    return [commits[i] for i in order], [changes[i] for i in order]


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
