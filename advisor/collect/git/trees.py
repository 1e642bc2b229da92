"""List the files of a commit, or how they differ from those of another one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.command import run_git, stream_fields
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_FILES = 5_000_000


class FileChange(NamedTuple):
    """A file that the second tree has with another content, or no longer: then the blob is None."""

    path: str
    blob: str | None


def list_file_changes(folder: Path, old: str | None, new: str) -> Iterator[FileChange]:
    """Yield how the files of one commit differ from those of another one.

    Args:
        folder: the repository.
        old: the commit before; None: a tree without files, so that all files of ``new`` are listed.
        new: the commit after.

    Raises:
        GitFailed: a commit or one of its folders is missing, or there are too many files.
    """
    if old is None:
        old = run_git(folder, "hash-object", "-t", "tree", os.devnull).strip()
    fields = stream_fields(folder, "diff-tree", "-r", "-z", "--raw", "--no-renames", old, new)
    for number, (about, path) in enumerate(zip(fields, fields, strict=True)):
        if number >= _MAX_FILES:  # a folder can stand in another one many times
            raise GitFailed(f"the history has more than {_MAX_FILES:,} files at one time")
        *_, blob, status = about.split()
        yield FileChange(path.decode("utf-8", "replace"), None if status == b"D" else blob.decode())
