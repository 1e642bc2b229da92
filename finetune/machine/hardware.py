"""Detect cores, memory and GPUs, without torch, which takes seconds to import."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_BFLOAT16_SINCE = 8.0


@dataclass(frozen=True)
class Gpu:
    """A GPU from nvidia-smi; CUDA ``capability`` 8.0 and up computes in bfloat16."""

    name: str
    memory_bytes: int
    capability: float


@dataclass(frozen=True)
class Machine:
    """The processor, cores, GPUs and the memory that a process may use."""

    processor: str
    cores: int
    memory_bytes: int
    gpus: tuple[Gpu, ...]

    @property
    def has_bfloat16(self) -> bool:
        """Whether every GPU computes in bfloat16; true without a GPU, because a CPU does."""
        return all(gpu.capability >= _BFLOAT16_SINCE for gpu in self.gpus)

    def usable_bytes(self, kind: str | None) -> int:
        """Return the memory that a run may use on its smallest device of this kind."""
        if kind == "cuda" and self.gpus:
            return min(gpu.memory_bytes for gpu in self.gpus)
        return self.memory_bytes


def detect_machine() -> Machine:
    """Return what this machine has now."""
    return Machine(_processor(), len(os.sched_getaffinity(0)), _memory_bytes(), _gpus())


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    """Return the physical memory, or the control group's limit if that is lower."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return min(physical, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return physical


def _gpus() -> tuple[Gpu, ...]:
    tool = shutil.which("nvidia-smi")
    if tool is None or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return ()
    try:
        output = subprocess.run(
            [tool, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    gpus = []
    for line in output.splitlines():
        name, memory, capability = (part.strip() for part in line.split(","))
        gpus.append(Gpu(name, int(float(memory)) * 2**20, float(capability)))
    return tuple(gpus)
