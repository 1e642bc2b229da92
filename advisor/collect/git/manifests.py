"""Read the versions of the dependency files in a repository's history."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import choose_time, format_day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = ("pyproject.toml", "requirements*.txt", "requirements*.in", "environment.y*ml", "package.json")
"""Names of the files in which a project names what it depends on, in any folder."""
FOLDERS = ("requirements/*.txt", "requirements/*.in")
_COPIES = re.compile(r"(?:^|/)(?:node_modules|site-packages|vendor|third_party|testdata|fixtures)/")
_LOCK = re.compile(r"lock[^/]*$")
_FILE_MODES = {"100644", "100755"}


class Version(NamedTuple):
    """A file after one commit.

    Attributes:
        day: day of the commit, ``YYYY-MM-DD``.
        commit: its hash.
        path: the file in the repository.
        text: its content; None: the commit removed it, or it is no readable file.
    """

    day: str
    commit: str
    path: str
    text: str | None


class _Change(NamedTuple):
    day: str
    commit: str
    path: str
    blob: str | None


def read_manifests(folder: Path) -> Iterator[Version]:
    """Yield each version of each dependency file along first parents, oldest first.

    A blobless clone fetches the contents of these files only.

    Raises:
        GitFailed: git failed, or the contents cannot be fetched.
    """
    changes = _list_changes(folder)
    contents = {change.blob for change in changes if change.blob}
    fetch_blobs(folder, contents)
    with BlobReader(folder, contents) as blobs:
        for change in changes:
            text = None
            if change.blob and blobs.has(change.blob) and not blobs.is_too_large(change.blob):
                text = blobs.read_text(change.blob)
            yield Version(change.day, change.commit, change.path, text)


def _list_changes(folder: Path) -> list[_Change]:
    patterns = [f":(glob)**/{name}" for name in (*FILES, *FOLDERS)]
    log = run_git(
        folder, "log", "HEAD", "--reverse", "--first-parent", "-m", "--no-renames", "--raw", "--no-abbrev",
        "-z", "--format=%x1e%H%x1f%ct%x1f%at", "--", *patterns,
    )  # fmt: skip
    changes = []
    seconds = 0  # a commit without a date counts on the day of the commit before
    for record in log.split("\x1e")[1:]:
        head, _, fields = record.partition("\0")
        commit, commit_time, author_time = head.split("\x1f")
        seconds = choose_time(commit_time, author_time, seconds)
        names = fields.strip("\n\0").split("\0")
        for change, path in zip(names[::2], names[1::2], strict=False):
            _, mode, _, blob, _ = change.split()
            if _is_own(path):
                is_file = mode in _FILE_MODES
                changes.append(_Change(format_day(seconds), commit, path, blob if is_file else None))
    return changes


def _is_own(path: str) -> bool:
    """Return whether a file has the project's own choices and stays in its folder; a lock has others' too."""
    parts = PurePosixPath(path).parts
    return (
        ".." not in parts and not path.startswith("/") and not _COPIES.search(path) and not _LOCK.search(path)
    )
