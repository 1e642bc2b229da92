"""One host is asked by one process at a time, however many collect: turns that are taken through files.

GitHub asks for serial requests a token. Workers that share a lane (a host, and the number of a token) share
a file; who holds its lock may ask. A second file says until when nobody may, once any worker was told so.
The kernel frees the lock of a process that dies, however it dies.
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
"""Between two requests in a lane; 600 a minute stay below GitHub's 900 points a minute."""


class Turns:
    """Turns in lanes, through files in a folder."""

    def __init__(
        self, folder: Path, pause: float = PAUSE_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        """Make the folder if it is not there.

        Args:
            folder: shared by all that are to take turns.
            pause: seconds between two requests in a lane.
            clock: tells the time in seconds since 1970, the same for all.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._pause, self._clock = folder, pause, clock

    @asynccontextmanager
    async def at(self, lane: str) -> AsyncIterator[None]:
        """Hold the turn of a lane while asking."""
        handle = await asyncio.to_thread(self._take, lane)
        try:
            yield
        finally:
            os.pwrite(handle, b".", 0)  # the file's time of change: when the host was last asked
            os.close(handle)

    @contextmanager
    def slot(self, lane: str, slots: int) -> Iterator[None]:
        """Hold one of so many places at a host (for clones, which take minutes)."""
        handles = [self._open(f"{lane}-{n}") for n in range(slots)]
        try:
            while not any(_tried(handle) for handle in handles):
                time.sleep(0.05)
            yield
        finally:
            for handle in handles:
                os.close(handle)

    def wait_for(self, lane: str, seconds: float) -> None:
        """Nobody asks in the lane for so long; a longer wait that is already known stays."""
        handle = self._open(f"{lane}-until")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            until = max(_number(os.pread(handle, 64, 0)), self._clock() + seconds)
            os.pwrite(handle, f"{until:020.3f}".encode(), 0)
        finally:
            os.close(handle)

    def seconds_left(self, lane: str) -> float:
        """How long nobody may ask in the lane; 0: it is free."""
        try:
            return max(0.0, _number(self._file(f"{lane}-until").read_bytes()) - self._clock())
        except OSError:
            return 0.0

    def _take(self, lane: str) -> int:
        handle = self._open(lane)
        fcntl.flock(handle, fcntl.LOCK_EX)
        about = os.fstat(handle)
        if about.st_size:
            time.sleep(max(0.0, min(about.st_mtime + self._pause - time.time(), self._pause)))
        return handle

    def _open(self, name: str) -> int:
        return os.open(self._file(name), os.O_RDWR | os.O_CREAT, 0o600)

    def _file(self, name: str) -> Path:
        return self._folder / re.sub(r"[^A-Za-z0-9.-]", "_", name)


def _tried(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _number(text: bytes) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
