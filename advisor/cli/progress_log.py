"""A line a minute about long work, for logs and pipes, which show no bar."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERVAL_SECONDS = 60.0


class ProgressLog:
    """Writes the stage, how far it is and for how long it has been running, once a minute.

    Attributes:
        figures: how far the stage is; a new stage starts without them.
    """

    def __init__(self, write: Callable[[str], None], *, is_active: bool) -> None:
        """Set the function that writes a line; without ``is_active`` nothing is written."""
        self.figures = ""
        self._write = write
        self._is_active = is_active
        self._stage, self._start = "prepare", time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        if self._is_active:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._is_active:
            self._thread.join()

    def start_stage(self, text: str) -> None:
        """Start a stage; the lines until the next one are about it."""
        self._stage, self._start, self.figures = text, time.monotonic(), ""

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            minutes = (time.monotonic() - self._start) / 60
            parts = [self._stage, *([self.figures] if self.figures else []), f"for {minutes:.0f} min"]
            self._write("; ".join(parts))
