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
_AT_ONCE = 500  # names that are asked for before an answer is read: they must fit into a pipe

# What a folder holds: name, and the folder's own name in git where it is one.
_Entries = list[tuple[bytes, bytes | None]]


def files_of(folder: Path, commits: Iterable[str]) -> Iterator[list[str]]:
    """The paths of all files of each commit, in the order of the commits.

    Folders are asked for level by level, for all commits together, and each only once.

    Raises:
        GitFailed: a commit or a folder of it is not there.
    """
    roots = [f"{commit}^{{tree}}".encode() for commit in commits]
    known: dict[bytes, _Entries] = {}
    with subprocess.Popen(
        ["git", "-C", str(folder), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(remote=False),
    ) as process:
        pipes = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        level = dict.fromkeys(roots)
        while level:
            names = list(level)
            for at in range(0, len(names), _AT_ONCE):
                known |= _ask(pipes, names[at : at + _AT_ONCE])
            level = {sub: None for name in names for _, sub in known[name] if sub and sub not in known}
        pipes[0].close()
    paths: dict[bytes, list[str]] = {}
    for root in roots:
        yield _paths(root, known, paths)


def _ask(pipes: tuple[IO[bytes], IO[bytes]], names: list[bytes]) -> dict[bytes, _Entries]:
    asked, answered = pipes
    asked.write(b"".join(name + b"\n" for name in names))
    asked.flush()
    found = {}
    for name in names:
        header = answered.readline().split()
        if len(header) != 3 or header[1] != b"tree":
            raise GitFailed(f"git cat-file: {name.decode()} is not there")
        content = answered.read(int(header[2]))
        answered.read(1)
        found[name] = _entries(content, len(header[0]) // 2)
    return found


def _entries(content: bytes, length: int) -> _Entries:
    """The entries of a folder; ``length`` is that of a binary object name."""
    found: _Entries = []
    at = 0
    while at < len(content):
        space, end = content.index(b" ", at), content.index(b"\0", at)
        mode, entry = content[at:space], content[space + 1 : end]
        at = end + 1 + length
        found.append((entry, content[end + 1 : at].hex().encode() if mode == _FOLDER else None))
    return found


def _paths(name: bytes, known: dict[bytes, _Entries], paths: dict[bytes, list[str]]) -> list[str]:
    if name not in paths:
        found: list[str] = []
        for entry, sub in known[name]:
            text = entry.decode("utf-8", "replace")
            found += [text] if sub is None else [f"{text}/{path}" for path in _paths(sub, known, paths)]
        paths[name] = found
    return paths[name]
