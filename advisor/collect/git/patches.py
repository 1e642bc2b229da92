"""Compare the changes of commits: equal changes mean the same patch, whatever commit it is in."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.command import build_command, build_environment, stream_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class Changes(NamedTuple):
    """Digests of what a commit changes: the paths; and for each path the object names before and after."""

    paths: bytes
    objects: bytes


def list_changes(folder: Path, bases: Mapping[str, str]) -> dict[str, Changes]:
    """Return commit → its changes; a blobless clone has all that this needs.

    The listing of a large history has millions of paths, so it is read as a stream and only digests are kept.

    Args:
        folder: the clone.
        bases: commit → the commit to compare it with.

    Raises:
        GitFailed: git failed, or a commit is missing.
    """
    lines = (f"{commit} {base}\n" for commit, base in bases.items())
    fields = stream_fields(
        folder, "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", stdin=lines
    )
    changes: dict[str, Changes] = {}
    commit, paths, objects = "", _new_digest(), _new_digest()
    is_empty = True
    for field in fields:
        if field.startswith(b":"):
            path = next(fields)
            paths.update(path + b"\0")
            objects.update(field + b" " + path + b"\0")
            is_empty = False
            continue
        if not is_empty:
            changes[commit] = Changes(paths.digest(), objects.digest())
        commit, paths, objects, is_empty = field.decode(), _new_digest(), _new_digest(), True
    if not is_empty:
        changes[commit] = Changes(paths.digest(), objects.digest())
    return changes


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def compute_patch_ids(folder: Path, bases: Mapping[str, str], commits: Iterable[str]) -> dict[str, str]:
    """Return commit → patch-id of its changes (``git help patch-id``), up to the first file that is missing.

    Args:
        folder: the clone.
        bases: commit → the commit to compare it with.
        commits: the commits to read.
    """
    lines = "".join(f"{commit} {bases[commit]}\n" for commit in commits)
    environment = build_environment(remote=False)
    with tempfile.TemporaryFile() as names:
        names.write(lines.encode())
        names.seek(0)
        with (
            subprocess.Popen(
                build_command(folder, "diff-tree", "--stdin", "-p", "--no-ext-diff", "--no-renames"),
                stdin=names, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=os.sep, env=environment,
            ) as differences,
            subprocess.Popen(
                build_command(folder, "patch-id", "--stable"),
                stdin=differences.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=os.sep,
                env=environment,
            ) as ids,
        ):  # fmt: skip
            if differences.stdout is not None:
                differences.stdout.close()  # so that a failed patch-id ends the other process
            output = ids.communicate()[0]
    pairs = [line.split() for line in output.decode().splitlines()]
    if differences.returncode:  # the last patch is not complete
        pairs = pairs[:-1]
    return {commit: patch for patch, commit in pairs}
