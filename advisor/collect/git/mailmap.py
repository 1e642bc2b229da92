"""Find the mailmap of a history: the file that maps the names and addresses of a person to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.collect.git.blobs import read_sizes
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import run_git
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES = 10_000_000


def find_mailmap(folder: Path) -> str:
    """Return the blob of ``.mailmap`` on the default branch, or "" if there is none.

    A blobless clone fetches it, because ``git log`` would not.

    Raises:
        GitFailed: the clone lacks the file, or the file is too large.
    """
    entry = run_git(folder, "ls-tree", "-z", "HEAD", "--", ".mailmap")
    mode, _, blob = entry.partition("\t")[0].rpartition(" ")
    if mode not in {"100644 blob", "100755 blob"}:
        return ""
    fetch_blobs(folder, {blob})
    size = read_sizes(folder, [blob]).get(blob)
    if size is None:
        raise GitFailed(
            f"{folder} lacks the content of .mailmap: it is a partial clone; collect owner/name instead, "
            "or get the file with git cat-file -p HEAD:.mailmap in the clone"
        )
    if size > _MAX_BYTES:
        raise GitFailed(f"{folder}: .mailmap has {size:,} bytes, more than {_MAX_BYTES:,}")
    return blob
