"""List the files of many commits with one git process."""

from __future__ import annotations

import os
import subprocess
from typing import IO, TYPE_CHECKING, cast

from advisor.collect.git.command import build_command, build_environment
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FOLDER_MODE = b"40000"
_MAX_FILES = 5_000_000
_MAX_DEPTH = 500
_BATCH = 500  # names sent before reading the responses: they must fit into a pipe

# Entries of a folder: name, and the object name if the entry is a folder.
_Entries = list[tuple[bytes, bytes | None]]


def list_files(folder: Path, commits: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paths of all files of each commit, in the order of the commits.

    It reads the folders of all commits level by level, and each folder only once.

    Raises:
        GitFailed: a commit or one of its folders is missing, or there are too many files.
    """
    roots = [f"{commit}^{{tree}}".encode() for commit in commits]
    folders: dict[bytes, _Entries] = {}
    with subprocess.Popen(
        build_command(folder, "cat-file", "--batch"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=os.sep,
        env=build_environment(remote=False),
    ) as process:
        pipes = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        level = dict.fromkeys(roots)
        depth = 0
        while level:
            depth += 1
            if depth > _MAX_DEPTH:
                raise GitFailed(f"{folder}: the history has folders in more than {_MAX_DEPTH} levels")
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
            if len(files) > _MAX_FILES:  # a folder can stand in another one many times
                raise GitFailed(f"the history has more than {_MAX_FILES:,} files at one time")
        paths[name] = files
    return paths[name]
