"""Cloned histories within a limit of size: the one that was used longest ago goes first.

Beside each clone lies ``<owner>__<name>.use``: locked while the clone is used, its time of change the last
use, its content the clone's size in bytes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advisor.errors import InputError

DAY_SECONDS = 86_400.0
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(text: str) -> int:
    """Bytes from ``500MB`` or ``20G`` (powers of ten).

    Raises:
        InputError: it is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if not found:
        raise InputError(f"{text!r} is no size; write it as 20GB")
    return int(float(found[1]) * _UNITS[found[2]])


@contextmanager
def used(cache: Path, name: str) -> Iterator[None]:
    """Keep the clone of a repository from going while it is read; its size is noted afterwards."""
    cache.mkdir(parents=True, exist_ok=True)
    stem = name.replace("/", "__")
    handle = os.open(cache / f"{stem}.use", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(_size(cache / f"{stem}.git")).encode(), 0)
    finally:
        os.close(handle)


def shrink(cache: Path, limit: int) -> int:
    """Remove clones that nobody uses, the longest unused first, until the rest is within the limit.

    Args:
        cache: the folder of clones.
        limit: in bytes.

    Returns:
        how many were removed.
    """
    with (cache / ".shrinking").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        notes = sorted(cache.glob("*.use"), key=lambda p: p.stat().st_mtime)
        sizes = {note: int(note.read_text() or 0) for note in notes}
        total, removed = sum(sizes.values()), 0
        for note in notes:
            if total <= limit:
                break
            with note.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                # Renamed first: a clone that is half gone must not be taken for one.
                clone, doomed = note.with_suffix(".git"), note.with_suffix(".gone")
                if clone.exists():
                    clone.rename(doomed)
                    shutil.rmtree(doomed, ignore_errors=True)
                    removed += 1
                file.truncate(0)
            total -= sizes[note]
    return removed


def sweep(cache: Path, now: float) -> None:
    """Remove what killed processes left behind: half clones that nothing has touched for a day.

    Args:
        cache: the folder of clones.
        now: in seconds since 1970.
    """
    for kind in (".cloning-*", "*.gone"):
        for left in cache.glob(kind):
            if now - left.stat().st_mtime > DAY_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum((Path(at) / f).stat().st_size for at, _, files in os.walk(folder) for f in files)
