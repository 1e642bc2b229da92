"""The files of many commits, read by one git process."""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING, cast

from advisor.collect.git.command import environment
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FOLDER = b"40000"


def files_of(folder: Path, commits: Iterable[str]) -> Iterator[list[str]]:
    """The paths of all files of each commit, in the order of the commits.

    A folder that did not change between two commits is read once.

    Raises:
        GitFailed: a commit or a folder of it is not there.
    """
    known: dict[bytes, list[bytes]] = {}
    with subprocess.Popen(
        ["git", "-C", str(folder), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(remote=False),
    ) as process:
        pipes = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        for commit in commits:
            paths = _read(pipes, f"{commit}^{{tree}}".encode(), known)
            yield [path.decode("utf-8", "replace") for path in paths]
        pipes[0].close()


def _read(pipes: tuple[IO[bytes], IO[bytes]], name: bytes, known: dict[bytes, list[bytes]]) -> list[bytes]:
    if name in known:
        return known[name]
    asked, answered = pipes
    asked.write(name + b"\n")
    asked.flush()
    header = answered.readline().split()
    if len(header) != 3 or header[1] != b"tree":  # noqa: PLR2004
        raise GitFailed(f"git cat-file: {name.decode()} is not there")
    sha, _, size = header
    content = answered.read(int(size))
    answered.read(1)
    found: list[bytes] = []
    at, length = 0, len(sha) // 2
    while at < len(content):
        space, end = content.index(b" ", at), content.index(b"\0", at)
        mode, entry = content[at:space], content[space + 1 : end]
        at = end + 1 + length
        if mode == _FOLDER:
            inside = _read(pipes, content[end + 1 : at].hex().encode(), known)
            found += [entry + b"/" + path for path in inside]
        else:
            found.append(entry)
    known[name] = found
    return found
