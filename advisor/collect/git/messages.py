"""Read who wrote which commit when, and which change requests its message names.

The messages of a history can be large, so they are read as a stream, and only what they name is kept. Names
and addresses are those of the commit, without a mailmap: the heads of change requests have no others.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from advisor.collect.git import merge_patterns
from advisor.collect.git.command import build_command, build_environment
from advisor.collect.git.dates import choose_time, parse_time
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FIELDS = ("%H", "%P", "%ct", "%at", "%an", "%ae", "%ce", "%B")
_CHUNK_BYTES = 2**20


class Message(NamedTuple):
    """A commit and the numbers of change requests that its message merges, closes and mentions.

    ``time`` is the committer's date and ``author_time`` the author's, in seconds since 1970 (0: git has
    none).
    ``writers``: addresses and full names of the author and the co-authors.
    """

    sha: str
    parents: tuple[str, ...]
    time: int
    author_time: int
    author_mail: str
    committer_mail: str
    writers: frozenset[str]
    merges: tuple[int, ...]
    closures: tuple[int, ...]
    mentions: tuple[int, ...]


def read_messages(
    folder: Path, repository: str, *revisions: str, stdin: Iterable[str] = ()
) -> Iterator[Message]:
    """Yield commits, newest first.

    Args:
        folder: the clone.
        repository: ``owner/name``; numbers of other repositories are not kept.
        revisions: options and revisions of ``git log``.
        stdin: more revisions.

    Raises:
        GitFailed: git failed.
    """
    lines = "".join(f"{line}\n" for line in stdin)
    arguments = ("log", "-z", f"--format={'%x00'.join(_FIELDS)}", *(["--stdin"] if lines else []), *revisions)
    fields: list[str] = []
    for field in _stream_fields(folder, arguments, lines):
        fields.append(field)
        if len(fields) == len(_FIELDS):
            yield _parse(fields, repository)
            fields = []


def _stream_fields(folder: Path, arguments: tuple[str, ...], stdin: str) -> Iterator[str]:
    with subprocess.Popen(
        build_command(folder, *arguments),
        env=build_environment(remote=False),
        cwd=os.sep,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        requests, output = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        with suppress(BrokenPipeError), requests:  # git reads all revisions before it prints a commit
            requests.write(stdin.encode())
        rest = b""
        while chunk := output.read(_CHUNK_BYTES):
            *fields, rest = (rest + chunk).split(b"\0")
            for field in fields:
                yield field.decode("utf-8", "replace")
    if process.returncode:
        raise GitFailed(f"git log on {folder} failed: the messages of its commits cannot be read")


def _parse(fields: list[str], repository: str) -> Message:
    sha, parents, commit_time, author_time, author, author_mail, committer_mail, text = fields
    time = choose_time(commit_time, author_time, 0)
    return Message(
        sha,
        tuple(parents.split()),
        time,
        parse_time(author_time) or time,
        author_mail.lower(),
        committer_mail.lower(),
        merge_patterns.list_writers(author, author_mail, text),
        tuple(merge_patterns.parse_merged_numbers(text, repository)),
        tuple(merge_patterns.parse_closed_numbers(text, repository)),
        tuple(merge_patterns.parse_mentioned_numbers(text, repository)),
    )
