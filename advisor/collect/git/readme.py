"""Read the status that the README declares, commit by commit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import build_environment, run_git
from advisor.collect.git.commits import format_day
from advisor.collect.git.declared_status import find_declared_status
from advisor.errors import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAMES = ("README.md", "README.rst", "README.txt", "README", "readme.md")


class _Version(NamedTuple):
    sha: str
    time: int
    path: str
    blob: str


def read_statuses(folder: Path) -> list[dict[str, Any]]:
    """Build the rows of ``repositories``: one for the first README and one per change of status."""
    rows: list[dict[str, Any]] = []
    declarations: dict[str, tuple[str, str]] = {}
    for version, text in _read_texts(folder, _list_versions(folder)):
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
        "-z", "--format=%x1e%H%x1f%ct", "--", *_NAMES,
    )  # fmt: skip
    versions = []
    for record in log.split("\x1e")[1:]:
        head, _, changes = record.partition("\0")
        sha, time = head.split("\x1f")
        fields = changes.strip("\n\0").split("\0")
        for change, path in zip(fields[::2], fields[1::2], strict=False):
            versions.append(_Version(sha, int(time), path, change.split()[3]))
    return versions


def _read_texts(folder: Path, versions: list[_Version]) -> Iterator[tuple[_Version, str | None]]:
    """Yield each version with its text (None if the file was deleted); skip contents that are missing.

    A blobless clone fetches only these files.
    """
    existing = [v for v in versions if v.blob.strip("0")]
    fetch_blobs(folder, {v.blob for v in existing})
    process = subprocess.run(
        ["git", "-C", str(folder), "cat-file", "--batch"],
        input="".join(f"{v.blob}\n" for v in existing).encode(),
        capture_output=True,
        env=build_environment(remote=False),
        check=False,
    )
    if process.returncode:
        raise GitFailed(
            f"git cat-file on {folder} failed: {process.stderr.decode('utf-8', 'replace').strip()}"
        )
    output, position = process.stdout, 0
    for version in versions:
        if not version.blob.strip("0"):
            yield version, None
            continue
        end = output.index(b"\n", position)
        header, position = output[position:end].split(), end + 1
        if header[1] == b"missing":
            continue
        size = int(header[2])
        if header[1] == b"blob":
            yield version, output[position : position + size].decode("utf-8", "replace")
        position += size + 1
