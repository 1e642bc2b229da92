"""Read the commits of the default branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.clues import Identity
from advisor.collect.git.co_authors import map_contacts, parse_co_authors
from advisor.collect.git.command import run_git
from advisor.collect.git.credit import Commit, credit_commit
from advisor.collect.git.dates import Warn, ignore, parse_time
from advisor.collect.git.mailmap import find_mailmap
from advisor.domain.identities import Identities, load_identities
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Fields end in NUL, which no name or subject contains.
_COMMIT = "commit "
_CO_AUTHORS = "%(trailers:key=Co-authored-by,valueonly,unfold)"
_ASSISTANTS = "%(trailers:key=Assisted-by,key=Generated-by,key=Co-developed-by,valueonly,unfold)"
_PEOPLE = ("%aN", "%aE", "%cN", "%cE", _CO_AUTHORS, _ASSISTANTS)
_FIELDS = (_COMMIT + "%H", "%P", "%ct", "%at", *_PEOPLE, "%s")
_FORMAT = "%x00".join(_FIELDS)


class LogEntry(NamedTuple):
    """A commit of ``git log``; a merge has several parents.

    ``time`` is the committer's date in seconds since 1970. The author's date can be years older, or set by
    hand. ``is_estimated``: git cannot read the committer's date, so ``time`` is the author's, or that of the
    first parent. ``assistants``: the values of the trailers that name an assistant, one a line.
    """

    sha: str
    parents: str
    time: int
    author: tuple[str, str]
    committer: tuple[str, str]
    subject: str
    co_authors: tuple[Identity, ...] = ()
    is_estimated: bool = False
    assistants: str = ""


def read_log(folder: Path, warn: Warn = ignore) -> list[LogEntry]:
    """Return the commits of the default branch, newest first; the first one is its tip.

    Raises:
        GitFailed: git failed.
    """
    mailmap = find_mailmap(folder)
    log = run_git(
        folder, "-c", f"mailmap.blob={mailmap}", "log", "HEAD", "--use-mailmap",
        "-z", f"--format={_FORMAT}", "--",
    )  # fmt: skip
    entries = parse_log(log)
    contacts = list(dict.fromkeys(c for entry in entries for c in entry.co_authors))
    if names := map_contacts(folder, mailmap, contacts):
        entries = [e._replace(co_authors=tuple(names.get(c, c) for c in e.co_authors)) for e in entries]
    if count := sum(entry.is_estimated for entry in entries):
        warn(
            f"{count} {'commit has' if count == 1 else 'commits have'} a date that git cannot read: "
            "the date of the author or of the commit before stands in"
        )
    return entries


def parse_log(log: str) -> list[LogEntry]:
    """Parse the output of ``git log``.

    Raises:
        GitFailed: the output is truncated or interleaved, or no commit has a date.
    """
    try:
        entries, dates = _parse(log)
    except (ValueError, LookupError, StopIteration, OverflowError):
        raise GitFailed("cannot parse the output of git log: it is truncated or interleaved") from None
    return _estimate_missing_dates(entries, dates) if None in dates else entries


def _parse(log: str) -> tuple[list[LogEntry], list[int | None]]:
    entries: list[LogEntry] = []
    dates: list[int | None] = []
    *fields, end = log.split("\0")
    if end:
        raise ValueError("the last field is cut")
    for record in zip(*[iter(fields)] * len(_FIELDS), strict=True):
        head, parents, commit_time, author_time, *who, co_authors, assistants, subject = record
        if not head.startswith(_COMMIT):
            raise ValueError("a commit has more or fewer fields")
        sha = head.removeprefix(_COMMIT)
        author, committer = (who[0], who[1]), (who[2], who[3])
        time = parse_time(commit_time)
        is_estimated = time is None
        time = parse_time(author_time) if time is None else time
        dates.append(time)
        people = parse_co_authors(co_authors)
        entries.append(
            LogEntry(sha, parents, time or 0, author, committer, subject, people, is_estimated, assistants)
        )
    return entries, dates


def _estimate_missing_dates(entries: Sequence[LogEntry], dates: Sequence[int | None]) -> list[LogEntry]:
    """Give a commit without a date that of its first parent, or of the commit listed before it.

    Raises:
        GitFailed: no commit has a date.
    """
    latest = next((time for time in reversed(dates) if time is not None), None)
    if latest is None:
        raise GitFailed("no commit of the history has a date that git can read")
    times: dict[str, int] = {}
    for entry, time in zip(reversed(entries), reversed(dates), strict=True):
        parent = entry.parents.partition(" ")[0]
        latest = times.get(parent, latest) if time is None else time
        times[entry.sha] = latest
    return [entry._replace(time=times[entry.sha]) for entry in entries]


def list_nonmerge_commits(log: Sequence[LogEntry], identities: Identities | None = None) -> list[Commit]:
    """Return the commits that are not merges, oldest first.

    Args:
        log: commits of the default branch, newest first.
        identities: the classes of authors; default: the bundled ones.
    """
    identities = identities or load_identities()
    single = sorted((c for c in reversed(log) if " " not in c.parents), key=lambda c: c.time)
    commits = (
        Commit(c.sha, *c.author, c.time, False, identities.name_an_agent(c.assistants), c.co_authors)
        for c in single
    )
    return [credit_commit(commit, c.committer, identities) for commit, c in zip(commits, single, strict=True)]
