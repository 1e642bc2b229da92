"""Limit the size of the clone cache: remove the least recently used clones first.

Each clone has a file ``<owner>__<name>.use`` beside it. The file is locked while a process uses the clone,
its modification time is the last use, and its content is the size of the clone in bytes.
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
    """Return the bytes of a size such as ``500MB`` or ``20G`` (powers of ten).

    Raises:
        InputError: the text is not a size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if not match:
        raise InputError(f"invalid size {text!r}: expected a number and a unit, such as 20GB")
    return int(float(match[1]) * _UNITS[match[2]])


@contextmanager
def lock_clone(cache: Path, name: str) -> Iterator[None]:
    """Lock the clone of a repository against removal; write down its size at the end of the block."""
    cache.mkdir(parents=True, exist_ok=True)
    stem = name.replace("/", "__")
    handle = os.open(cache / f"{stem}.use", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(_measure_size(cache / f"{stem}.git")).encode(), 0)
    finally:
        os.close(handle)


def shrink_cache(cache: Path, limit: int) -> int:
    """Remove unused clones, the least recently used first, until the cache is within the limit.

    Args:
        cache: folder of clones.
        limit: size in bytes.

    Returns:
        number of clones removed.
    """
    with (cache / ".shrinking").open("w") as cache_lock:
        fcntl.flock(cache_lock, fcntl.LOCK_EX)
        use_files = sorted(cache.glob("*.use"), key=lambda p: p.stat().st_mtime)
        sizes = {use_file: int(use_file.read_text() or 0) for use_file in use_files}
        total, count = sum(sizes.values()), 0
        for use_file in use_files:
            if total <= limit:
                break
            with use_file.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                # Rename first, so that no process uses a half-removed clone.
                clone, trash = use_file.with_suffix(".git"), use_file.with_suffix(".gone")
                if clone.exists():
                    clone.rename(trash)
                    shutil.rmtree(trash, ignore_errors=True)
                    count += 1
                file.truncate(0)
            total -= sizes[use_file]
    return count


def remove_leftovers(cache: Path, now: float) -> None:
    """Remove partial clones of killed processes: those without a change for a day.

    Args:
        cache: folder of clones.
        now: current time in seconds since 1970.
    """
    for kind in (".cloning-*", "*.gone"):
        for folder in cache.glob(kind):
            if now - folder.stat().st_mtime > DAY_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _measure_size(folder: Path) -> int:
    return sum((Path(at) / f).stat().st_size for at, _, files in os.walk(folder) for f in files)
