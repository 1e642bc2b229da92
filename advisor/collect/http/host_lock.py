"""Locks that let one process at a time send requests to a host, through files in a shared folder.

GitHub asks for serial requests per token. Workers share one lock file per lane (a host, and the number of a
token); the worker that holds the lock may send a request. A second file stores the time until which the lane
is blocked by a rate limit. The kernel releases the lock of a process that dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

PAUSE_SECONDS = 0.1
"""Between two requests in a lane: 600 a minute, below GitHub's 900 points a minute."""


class HostLocks:
    """The locks of all lanes, as files in a folder."""

    def __init__(
        self, folder: Path, pause: float = PAUSE_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        """Create the folder if it does not exist.

        Args:
            folder: the same for all processes that share the locks.
            pause: seconds between two requests in a lane.
            clock: returns the time in seconds since 1970, the same for all processes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._pause, self._clock = folder, pause, clock

    @asynccontextmanager
    async def lock(self, lane: str) -> AsyncIterator[None]:
        """Lock a lane during a request."""
        handle = await asyncio.to_thread(self._lock_lane, lane)
        try:
            yield
        finally:
            os.pwrite(handle, b".", 0)  # the file's modification time is the time of the last request
            os.close(handle)

    @contextmanager
    def lock_slot(self, lane: str, slots: int) -> Iterator[None]:
        """Lock one of ``slots`` slots of a host (for clones, which take minutes)."""
        handles = [self._open(f"{lane}-{n}") for n in range(slots)]
        try:
            while not any(_try_lock(handle) for handle in handles):
                time.sleep(0.05)
            yield
        finally:
            for handle in handles:
                os.close(handle)

    def block_lane(self, lane: str, seconds: float) -> None:
        """Let no process send requests in the lane for this time; an existing longer block stays."""
        handle = self._open(f"{lane}-until")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            until = max(_parse_number(os.pread(handle, 64, 0)), self._clock() + seconds)
            os.pwrite(handle, f"{until:020.3f}".encode(), 0)
        finally:
            os.close(handle)

    def remaining_wait(self, lane: str) -> float:
        """Return the seconds until the block of a lane ends; 0 if it is not blocked."""
        try:
            return max(0.0, _parse_number(self._file(f"{lane}-until").read_bytes()) - self._clock())
        except OSError:
            return 0.0

    def _lock_lane(self, lane: str) -> int:
        handle = self._open(lane)
        fcntl.flock(handle, fcntl.LOCK_EX)
        status = os.fstat(handle)
        if status.st_size:
            time.sleep(max(0.0, min(status.st_mtime + self._pause - time.time(), self._pause)))
        return handle

    def _open(self, name: str) -> int:
        return os.open(self._file(name), os.O_RDWR | os.O_CREAT, 0o600)

    def _file(self, name: str) -> Path:
        return self._folder / re.sub(r"[^A-Za-z0-9.-]", "_", name)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parse_number(text: bytes) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
