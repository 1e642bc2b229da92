"""Read the versions of files in the root folder, commit by commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.blobs import MAX_BYTES, BlobReader
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, choose_time
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SUBMODULE_MODE = "160000"


class Version(NamedTuple):
    """A file as a commit left it; the blob is 0 if the commit deleted it."""

    sha: str
    time: int
    path: str
    blob: str
    is_submodule: bool


def list_versions(folder: Path, names: Sequence[str]) -> list[Version]:
    """Return each change of these files along first parents, oldest first.

    Args:
        folder: the repository.
        names: paths, or patterns of paths as git knows them.

    Raises:
        GitFailed: git failed.
    """
    log = run_git(
        folder, "log", "HEAD", "--reverse", "--first-parent", "-m", "--no-renames", "--raw", "--no-abbrev",
        "-z", "--format=%x1e%H%x1f%ct%x1f%at", "--", *names,
    )  # fmt: skip
    versions = []
    seconds = 0  # a commit without a date counts on the day of the commit before
    for record in log.split("\x1e")[1:]:
        head, _, changes = record.partition("\0")
        sha, commit_time, author_time = head.split("\x1f")
        seconds = choose_time(commit_time, author_time, seconds)
        fields = changes.strip("\n\0").split("\0")
        for change, path in zip(fields[::2], fields[1::2], strict=False):
            _, mode, _, blob, _ = change.split()
            versions.append(Version(sha, seconds, path, blob, mode == _SUBMODULE_MODE))
    return versions


def read_texts(
    folder: Path, versions: Sequence[Version], title: str, warn: Warn
) -> Iterator[tuple[Version, str | None]]:
    """Yield each version with its text (None if the file was deleted); skip contents that are missing.

    A blobless clone fetches only these files.

    Args:
        folder: the repository.
        versions: from `list_versions`.
        title: what the files are, for warnings.
        warn: receives sentences about contents that cannot be read.
    """
    contents = {v.blob for v in versions if v.blob.strip("0")}
    try:
        fetch_blobs(folder, contents)
    except GitFailed as error:  # the rest of the history is here, so its facts count
        warn(f"the contents of {title} cannot be fetched: {error}")
        contents = set()
    missing_count = large_count = 0
    with BlobReader(folder, contents) as blobs:
        for version in versions:
            if not version.blob.strip("0"):
                yield version, None
            elif not blobs.has(version.blob):
                missing_count += not version.is_submodule
            elif blobs.is_too_large(version.blob):
                large_count += 1
            else:
                yield version, blobs.read_text(version.blob)
    if missing_count:
        warn(f"{missing_count} versions of {title} are not in this clone: they are not read")
    if large_count:
        warn(f"{large_count} versions of {title} have more than {MAX_BYTES:,} bytes: they are not read")
