"""Keep the clone cache small and clean: remove old clones and what killed processes left behind.

Each clone has a file ``<owner>__<name>.use`` beside it. The file is locked while a process uses the clone,
its modification time is the last use, and its content is the size of the clone in bytes. The file is empty
during a use and after a killed one. ``<owner>__<name>.changes`` (see `changes`) goes with the clone.
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
from advisor.files import remove_dead_drafts, remove_unused_folders

CLONING, READING = ".cloning-", ".reading-"
"""Prefixes of the folders that exist only during one run."""
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
def lock_clone(cache: Path, name: str) -> Iterator[int]:
    """Lock a clone for one process; write down its size at the end of the block.

    If the process before was killed, the lock files and partial packs of its git are removed first: git
    would refuse to work beside them.

    Args:
        cache: folder of clones.
        name: name of the clone, ``owner/name`` or ``owner/name@`` and the digest of an address.

    Yields:
        the file descriptor with the lock.
    """
    cache.mkdir(parents=True, exist_ok=True)
    stem = name.replace("/", "__")
    clone = cache / f"{stem}.git"
    handle = os.open(cache / f"{stem}.use", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not os.pread(handle, 1, 0):
            _remove_git_leftovers(clone)
        os.ftruncate(handle, 0)
        yield handle
        os.pwrite(handle, str(_measure_size(clone)).encode(), 0)
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
        sizes = {
            use_file: int(use_file.read_text() or _measure_size(use_file.with_suffix(".git")))
            for use_file in use_files
        }
        total = sum(sizes.values()) + sum(path.stat().st_size for path in cache.glob("*.changes"))
        count = 0
        for use_file in use_files:
            if total <= limit:
                break
            with use_file.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                clone = use_file.with_suffix(".git")
                if clone.exists():
                    remove_clone(clone)
                    count += 1
                file.truncate(0)
            total -= sizes[use_file] + _remove_changes(cache, use_file.stem)
    return count


def _remove_changes(cache: Path, clone_name: str) -> int:
    """Remove the file of changes of a removed clone's history; return its size in bytes."""
    file = cache / f"{clone_name.partition('@')[0]}.changes"
    size = file.stat().st_size if file.exists() else 0
    file.unlink(missing_ok=True)
    return size


def remove_leftovers(cache: Path) -> None:
    """Remove partial clones and other folders of killed processes: those that no process has locked.

    Args:
        cache: folder of clones.
    """
    for prefix in (CLONING, READING):
        remove_dead_drafts(cache, prefix)
    remove_unused_folders(cache.glob("*.gone"))


def remove_clone(clone: Path) -> None:
    """Remove a clone of the cache; it disappears at once, so that no process uses half of it."""
    trash = clone.with_suffix(".gone")
    shutil.rmtree(trash, ignore_errors=True)
    clone.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _remove_git_leftovers(clone: Path) -> None:
    for pattern in ("*.lock", "gc.pid", "tmp_*"):
        for file in clone.rglob(pattern):
            if file.is_file():
                file.unlink(missing_ok=True)


def _measure_size(folder: Path) -> int:
    return sum((Path(at) / f).stat().st_size for at, _, files in os.walk(folder) for f in files)
