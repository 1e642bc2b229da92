"""What the README declared, commit by commit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import environment, git
from advisor.collect.git.commits import day_of
from advisor.collect.git.declared_status import declared_status
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


def statuses(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``repositories``: the first README and each change of what the READMEs declare."""
    rows: list[dict[str, Any]] = []
    declared: dict[str, tuple[str, str]] = {}
    for version, text in _texts(folder, _versions(folder)):
        declared.pop(version.path, None)
        if text is not None:
            declared[version.path] = declared_status(text)
        path = next((p for p, (status, _) in declared.items() if status != "active"), version.path)
        status, sentence = declared.get(path, ("active", ""))
        if declared and (not rows or rows[-1]["declared_status"] != status):
            rows.append(
                {
                    "observed_on": day_of(version.time),
                    "declared_status": status,
                    "evidence": sentence,
                    "evidence_path": path,
                    "evidence_commit": version.sha,
                }
            )
    return rows


def _versions(folder: Path) -> list[_Version]:
    """Each change of a README at the root on the default branch's own line, oldest first."""
    log = git(
        folder, "log", "HEAD", "--reverse", "--first-parent", "-m", "--no-renames", "--raw", "--no-abbrev",
        "-z", "--format=%x1e%H%x1f%ct", "--", *_NAMES,
    )  # fmt: skip
    found = []
    for record in log.split("\x1e")[1:]:
        head, _, changes = record.partition("\0")
        sha, time = head.split("\x1f")
        fields = changes.strip("\n\0").split("\0")
        for about, path in zip(fields[::2], fields[1::2], strict=False):
            found.append(_Version(sha, int(time), path, about.split()[3]))
    return found


def _texts(folder: Path, versions: list[_Version]) -> Iterator[tuple[_Version, str | None]]:
    """Each version with its text, None where the file was deleted; what cannot be had is left out.

    A clone without contents is asked for just these files.
    """
    written = [v for v in versions if v.blob.strip("0")]
    fetch_blobs(folder, {v.blob for v in written})
    process = subprocess.run(
        ["git", "-C", str(folder), "cat-file", "--batch"],
        input="".join(f"{v.blob}\n" for v in written).encode(),
        capture_output=True,
        env=environment(remote=False),
        check=False,
    )
    if process.returncode:
        raise GitFailed(
            f"git cat-file on {folder} failed: {process.stderr.decode('utf-8', 'replace').strip()}"
        )
    output, at = process.stdout, 0
    for version in versions:
        if not version.blob.strip("0"):
            yield version, None
            continue
        end = output.index(b"\n", at)
        header, at = output[at:end].split(), end + 1
        if header[1] == b"missing":
            continue
        size = int(header[2])
        if header[1] == b"blob":
            yield version, output[at : at + size].decode("utf-8", "replace")
        at += size + 1
