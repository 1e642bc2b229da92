"""Read the status that the README declares, commit by commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.blobs import MAX_BYTES, BlobReader
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import Warn, choose_time, format_day, ignore
from advisor.collect.git.declared_status import find_declared_status
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAMES = ("README.md", "README.rst", "README.txt", "README", "readme.md")
_SUBMODULE_MODE = "160000"


class _Version(NamedTuple):
    sha: str
    time: int
    path: str
    blob: str
    is_submodule: bool


def read_statuses(folder: Path, warn: Warn = ignore) -> list[dict[str, Any]]:
    """Build the rows of ``repositories``: one for the first README and one per change of status."""
    rows: list[dict[str, Any]] = []
    declarations: dict[str, tuple[str, str]] = {}
    for version, text in _read_texts(folder, _list_versions(folder), warn):
        declarations.pop(version.path, None)
        if text is not None:
            declarations[version.path] = find_declared_status(text)
        path = next((p for p, (status, _) in declarations.items() if status != "active"), version.path)
        status, sentence = declarations.get(path, ("active", ""))
        if declarations and (not rows or rows[-1]["declared_status"] != status):
            rows.append(
                {
                    "observed_on": format_day(version.time),
                    "declared_status": status,
                    "evidence": sentence,
                    "evidence_path": path,
                    "evidence_commit": version.sha,
                }
            )
    return rows


def _list_versions(folder: Path) -> list[_Version]:
    """Return each change of a README in the root folder along first parents, oldest first."""
    log = run_git(
        folder, "log", "HEAD", "--reverse", "--first-parent", "-m", "--no-renames", "--raw", "--no-abbrev",
        "-z", "--format=%x1e%H%x1f%ct%x1f%at", "--", *_NAMES,
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
            versions.append(_Version(sha, seconds, path, blob, mode == _SUBMODULE_MODE))
    return versions


def _read_texts(folder: Path, versions: list[_Version], warn: Warn) -> Iterator[tuple[_Version, str | None]]:
    """Yield each version with its text (None if the file was deleted); skip contents that are missing.

    A blobless clone fetches only these files.
    """
    contents = {v.blob for v in versions if v.blob.strip("0")}
    try:
        fetch_blobs(folder, contents)
    except GitFailed as error:  # the rest of the history is here, so its facts count
        warn(f"the contents of the README cannot be fetched: {error}")
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
        warn(f"{missing_count} versions of the README are not in this clone: they are not read")
    if large_count:
        warn(f"{large_count} versions of the README have more than {MAX_BYTES:,} bytes: they are not read")
