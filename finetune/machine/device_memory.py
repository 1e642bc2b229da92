"""The GPU's memory as the driver sees it while a run goes on; the allocator leaves some of it out.

bitsandbytes, Triton and the CUDA context take memory that torch's allocator does not know of. nvidia-smi
(NVML) is asked twice a second; without a GPU nothing is done and nothing is written.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "device-peak-bytes"
EVERY_SECONDS = 0.5


@contextmanager
def watched(run: Path) -> Iterator[None]:
    """Keep the peak of all GPUs together during the block in a file of the run's folder."""
    tool = shutil.which("nvidia-smi")
    if tool is None or used(tool) is None:
        yield
        return
    over, peaks = threading.Event(), [0]

    def look() -> None:
        while not over.is_set():
            peaks.append(max(peaks.pop(), used(tool) or 0))
            over.wait(EVERY_SECONDS)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
        if run.is_dir():
            (run / FILE).write_text(str(max(peaks[0], peak(run))))


def used(tool: str) -> int | None:
    """Bytes in use on all GPUs; None where the driver does not answer."""
    query = [tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        shown = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return sum(int(float(line)) for line in shown.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def peak(run: Path) -> int:
    """What was kept of a run; 0 where nothing was."""
    try:
        return int((run / FILE).read_text())
    except (OSError, ValueError):
        return 0
