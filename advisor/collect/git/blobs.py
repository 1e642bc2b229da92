"""Read contents of files by their object names, from one git process and without fetching."""

from __future__ import annotations

import os
import subprocess
from typing import IO, TYPE_CHECKING, Self, cast

from advisor.collect.git.command import build_command, build_environment, run_git
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 5_000_000
"""A larger file is not read: nobody writes it by hand, and a small history can hold files of many GB."""


def read_sizes(folder: Path, blobs: Iterable[str]) -> dict[str, int]:
    """Return the size in bytes of each file that the history has; other objects are left out."""
    names = "".join(f"{blob}\n" for blob in dict.fromkeys(blobs))
    lines = run_git(folder, "cat-file", "--batch-check", stdin=names).splitlines()
    answers = (line.split() for line in lines)
    return {answer[0]: int(answer[2]) for answer in answers if answer[1] == "blob"}


class BlobReader:
    """Reads the contents of files of at most `MAX_BYTES`."""

    def __init__(self, folder: Path, blobs: Iterable[str]) -> None:
        """Ask for the sizes of all files that will be read."""
        self._folder = folder
        self._sizes = read_sizes(folder, blobs)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            build_command(self._folder, "cat-file", "--batch"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.sep,
            env=build_environment(remote=False),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def has(self, blob: str) -> bool:
        """Return whether the history has the file."""
        return blob in self._sizes

    def is_too_large(self, blob: str) -> bool:
        """Return whether a file of the history has more than `MAX_BYTES`."""
        return self._sizes[blob] > MAX_BYTES

    def find_size(self, blob: str) -> int:
        """Return the size in bytes of a file that the history has."""
        return self._sizes[blob]

    def read_text(self, blob: str) -> str:
        """Return the text of a file; "" if it is too large.

        Raises:
            GitFailed: the history does not contain it.
        """
        if not self.has(blob):
            raise GitFailed(f"git cat-file on {self._folder} failed: {blob} is missing from the history")
        if self.is_too_large(blob):
            return ""
        stdin, stdout = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        stdin.write(f"{blob}\n".encode())
        stdin.flush()
        header = stdout.readline().split()
        if len(header) != 3:  # hash, type, size
            raise GitFailed(f"git cat-file on {self._folder} failed: {blob} cannot be read")
        return stdout.read(int(header[2]) + 1)[:-1].decode("utf-8", "replace")
