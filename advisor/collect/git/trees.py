"""List the files of many commits with one git process."""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING, cast

from advisor.collect.git.command import build_environment
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FOLDER_MODE = b"40000"
_BATCH = 500  # names sent before reading the responses: they must fit into a pipe

# Entries of a folder: name, and the object name if the entry is a folder.
_Entries = list[tuple[bytes, bytes | None]]


def list_files(folder: Path, commits: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paths of all files of each commit, in the order of the commits.

    It reads the folders of all commits level by level, and each folder only once.

    Raises:
        GitFailed: a commit or one of its folders is missing.
    """
    roots = [f"{commit}^{{tree}}".encode() for commit in commits]
    folders: dict[bytes, _Entries] = {}
    with subprocess.Popen(
        ["git", "-C", str(folder), "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=build_environment(remote=False),
    ) as process:
        pipes = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        level = dict.fromkeys(roots)
        while level:
            names = list(level)
            for at in range(0, len(names), _BATCH):
                folders |= _read_folders(pipes, names[at : at + _BATCH])
            level = {sub: None for name in names for _, sub in folders[name] if sub and sub not in folders}
        pipes[0].close()
    paths: dict[bytes, list[str]] = {}
    for root in roots:
        yield _list_paths(root, folders, paths)


def _read_folders(pipes: tuple[IO[bytes], IO[bytes]], names: list[bytes]) -> dict[bytes, _Entries]:
    requests, responses = pipes
    requests.write(b"".join(name + b"\n" for name in names))
    requests.flush()
    folders = {}
    for name in names:
        header = responses.readline().split()
        if len(header) != 3 or header[1] != b"tree":
            raise GitFailed(f"git cat-file: the object {name.decode()} is missing")
        content = responses.read(int(header[2]))
        responses.read(1)
        folders[name] = _parse_entries(content, len(header[0]) // 2)
    return folders


def _parse_entries(content: bytes, length: int) -> _Entries:
    """Return the entries of a folder; ``length`` is the number of bytes of a binary object name."""
    entries: _Entries = []
    at = 0
    while at < len(content):
        space, end = content.index(b" ", at), content.index(b"\0", at)
        mode, entry = content[at:space], content[space + 1 : end]
        at = end + 1 + length
        entries.append((entry, content[end + 1 : at].hex().encode() if mode == _FOLDER_MODE else None))
    return entries


def _list_paths(name: bytes, folders: dict[bytes, _Entries], paths: dict[bytes, list[str]]) -> list[str]:
    if name not in paths:
        files: list[str] = []
        for entry, sub in folders[name]:
            text = entry.decode("utf-8", "replace")
            files += (
                [text] if sub is None else [f"{text}/{path}" for path in _list_paths(sub, folders, paths)]
            )
        paths[name] = files
    return paths[name]
