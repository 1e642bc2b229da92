"""The peak of the GPU memory during a run, as the driver reports it.

bitsandbytes, Triton and the CUDA context use memory that torch's allocator does not count. So this module
asks nvidia-smi (NVML) twice a second. Without a GPU it does nothing and writes nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finetune import isolation

FILE = "device-peak-bytes"
EVERY_SECONDS = 0.5


@contextmanager
def record_peak(run: Path) -> Iterator[None]:
    """Write the peak memory of all GPUs together into a file of the run's folder."""
    tool = shutil.which("nvidia-smi")
    if tool is None or read_used_bytes(tool) is None:
        yield
        return
    stop, peaks = threading.Event(), [0]

    def poll() -> None:
        while not stop.is_set():
            peaks.append(max(peaks.pop(), read_used_bytes(tool) or 0))
            stop.wait(EVERY_SECONDS)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        if run.is_dir():
            (run / FILE).write_text(str(max(peaks[0], read_peak_bytes(run))))


def read_used_bytes(tool: str) -> int | None:
    """Return the bytes in use on all GPUs, or None if the driver does not answer."""
    query = [tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(
            query, capture_output=True, text=True, timeout=20, check=True, env=isolation.select_variables()
        ).stdout
        return sum(int(float(line)) for line in output.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def read_peak_bytes(run: Path) -> int:
    """Return the recorded peak of a run, or 0 if it has none."""
    try:
        return int((run / FILE).read_text())
    except (OSError, ValueError):
        return 0
