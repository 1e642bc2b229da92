"""Detect cores, memory and GPUs, without torch, which takes seconds to import.

The GPUs come from nvidia-smi, or from torch where nvidia-smi is missing or does not know enough. Where both
fail (some containers), or to plan for another machine, the variable ADVISOR_GPUS describes the GPUs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from advisor.memory import read_memory_limit
from finetune import isolation
from finetune.errors import SpecError

GPUS_VARIABLE, VISIBLE_VARIABLE = "ADVISOR_GPUS", "CUDA_VISIBLE_DEVICES"
_BFLOAT16_SINCE = 8.0
_MIB = 2**20
_BUSY = 1.5  # processes a core in the last minute; a run's own preparation uses one core
_QUERY = "name,uuid,memory.total,memory.free,compute_cap,mig.mode.current"
# Each of these files means that an NVIDIA driver is loaded (the second one: in Windows' Linux).
_DRIVER_FILES = ("/proc/driver/nvidia/version", "/dev/dxg")
_AMD_DRIVER_FILE = "/dev/kfd"  # ROCm's way to the GPU
_TORCH_QUERY = """
import json, torch
gpus = []
for n in range(torch.cuda.device_count()):
    p, (free, total) = torch.cuda.get_device_properties(n), torch.cuda.mem_get_info(n)
    gpus.append([p.name, total, p.major + p.minor / 10, free])
print(json.dumps(gpus))
"""


@dataclass(frozen=True)
class Gpu:
    """A GPU that CUDA programs see.

    Attributes:
        name: its name by the driver.
        memory_bytes: its memory; the system's, if the GPU shares it.
        capability: CUDA compute capability; 8.0 and up computes in bfloat16. 0 if unknown.
        free_bytes: the memory that no program uses now; None if unknown.
    """

    name: str
    memory_bytes: int
    capability: float
    free_bytes: int | None = None

    @property
    def room_bytes(self) -> int:
        """The memory that a run may use."""
        return self.memory_bytes if self.free_bytes is None else self.free_bytes


class Room(NamedTuple):
    """Bytes of a memory: those that a process can still get, and all of them."""

    free: int
    total: int


@dataclass(frozen=True)
class Machine:
    """The processor, cores, GPUs and the memory that a process may use."""

    processor: str
    cores: int
    memory_bytes: int
    gpus: tuple[Gpu, ...]

    def has_bfloat16(self, processes: int = 1) -> bool:
        """Return whether each GPU of a run computes in bfloat16; true without a GPU, because a CPU does."""
        return all(gpu.capability >= _BFLOAT16_SINCE for gpu in self.gpus[:processes])

    def usable_bytes(self, kind: str | None, processes: int = 1) -> int:
        """Return the memory that a run may use on the smallest of its devices of this kind.

        A run with N processes on this machine uses the first N GPUs, one for each process.
        """
        if kind == "cuda" and self.gpus:
            return min(gpu.room_bytes for gpu in self.gpus[:processes])
        return self.memory_bytes


def detect_machine() -> Machine:
    """Return what this machine has now.

    Raises:
        SpecError: ADVISOR_GPUS cannot be read.
    """
    return Machine(_processor(), _count_cores(), read_memory_limit(), _gpus())


def read_room(kind: str | None) -> Room | None:
    """Return the memory of the first GPU by torch, or of the system; None if it is unknown."""
    if kind != "cuda":
        free = _available_bytes()
        return None if free is None else Room(free, read_memory_limit())
    import torch

    return Room(*torch.cuda.mem_get_info(0))


def describe_load() -> str:
    """Return a sentence if other programs keep the cores busy, so that a run takes longer; else nothing."""
    try:
        load = os.getloadavg()[0]
    except OSError:  # a system without it
        return ""
    cores = os.cpu_count() or 1
    if load < _BUSY * cores:
        return ""
    return (
        f"the machine is busy: {load:.0f} processes share {cores} cores, so the run takes longer, and its "
        "seconds say little about the stack"
    )


def describe_unused_gpus(machine: Machine, kind: str | None, processes: int) -> str:
    """Return a sentence about the GPUs that a run leaves idle; empty if there is none."""
    count = len(machine.gpus)
    if kind != "cuda" and not count and (maker := _find_other_maker()):
        return (
            f"a GPU by {maker} found, not used: advisor installs the stacks for GPUs by NVIDIA only; "
            f"`advisor rank --hardware {maker.lower()}` shows which libraries use it"
        )
    if kind != "cuda" or processes >= count:
        return ""
    return f"{count} GPUs found, {processes} used; to use all of them: --gpus {count}"


def describe_emulation(machine: Machine, kind: str | None, dtype: str | None, processes: int) -> str:
    """Return a sentence about a GPU that computes bfloat16 in float32; empty if there is none."""
    if kind != "cuda" or dtype != "bfloat16":
        return ""
    gpu = next((gpu for gpu in machine.gpus[:processes] if gpu.capability < _BFLOAT16_SINCE), None)
    if gpu is None:
        return ""
    return (
        f"{gpu.name} has no bfloat16 (compute capability {gpu.capability}, not {_BFLOAT16_SINCE} or more) "
        "and computes it in float32, which is slow; use --set training.dtype=float16"
    )


def select_devices(processes: int) -> dict[str, str]:
    """Return the variables with which a run sees one GPU for each of its processes, and no other.

    Without them the loaders of trl and axolotl spread one model over all GPUs, which is slow. The order of
    nvidia-smi is set too, because CUDA has another one if the GPUs differ.
    """
    text = os.environ.get(VISIBLE_VARIABLE)
    devices = [str(n) for n in range(processes)] if text is None else text.split(",")
    order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return {VISIBLE_VARIABLE: ",".join(devices[:processes]), "CUDA_DEVICE_ORDER": order}


def read_driver_version() -> tuple[int, ...] | None:
    """Return the version of NVIDIA's driver by nvidia-smi; None if it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        output = subprocess.run(
            query, capture_output=True, text=True, timeout=20, check=True, env=isolation.select_variables()
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"\s*(\d+(?:\.\d+)+)", output)
    return tuple(map(int, match[1].split("."))) if match else None


def _find_other_maker() -> str:
    """Return the maker of a GPU that CUDA programs cannot use; empty without one."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple"
    return "AMD" if Path(_AMD_DRIVER_FILE).exists() else ""


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _available_bytes() -> int | None:
    """Return the system memory that programs can still get; None on a system without /proc."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    match = re.search(r"^MemAvailable: +(\d+) kB", text, re.MULTILINE)
    return min(int(match[1]) * 2**10, read_memory_limit()) if match else None


def _gpus() -> tuple[Gpu, ...]:
    if description := os.environ.get(GPUS_VARIABLE):
        return _parse_description(description)
    visible = os.environ.get(VISIBLE_VARIABLE)
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        return ()
    gpus = None if visible is not None and "MIG-" in visible else _ask_driver(visible)
    if not gpus or not all(gpu.capability for gpu in gpus):
        gpus = _ask_torch() or gpus or ()
    return gpus


def _parse_description(text: str) -> tuple[Gpu, ...]:
    """Return the GPUs of ``8 x NVIDIA H100, 80, 9.0; Tesla T4, 16, 7.5``: name, GiB, compute capability."""
    gpus: list[Gpu] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = re.fullmatch(
            r"(?:([1-9]\d*) ?x )?([^,]+), *(\d+(?:\.\d+)?) *(?:Gi?B)?, *(\d+(?:\.\d+)?)", part
        )
        if match is None:
            raise SpecError(
                f"{GPUS_VARIABLE}: cannot read {part!r}; expected a name, the memory in GiB and the compute "
                "capability, for example '2 x NVIDIA GeForce RTX 4090, 24, 8.9'"
            )
        gpu = Gpu(match[2].strip(), round(float(match[3]) * 2**30), float(match[4]))
        gpus += [gpu] * int(match[1] or 1)
    return tuple(gpus)


def _ask_driver(visible: str | None) -> tuple[Gpu, ...] | None:
    """Return the visible GPUs by nvidia-smi; None if it is missing or fails, or if a GPU is divided.

    CUDA shows one instance of a divided GPU (MIG), whose memory nvidia-smi does not list here.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        output = subprocess.run(
            [tool, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            env=isolation.select_variables(),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    gpus: dict[str, Gpu] = {}
    for line in output.splitlines():
        values = [value.strip() for value in line.rsplit(",", _QUERY.count(","))]
        if len(values) > _QUERY.count(",") and not values[0].startswith("["):  # [GPU is lost]
            name, uuid, *numbers, mig_mode = values
            if mig_mode == "Enabled":
                return None
            total, free, capability = map(_parse_number, numbers)
            # A GPU that shares the system's memory (GB10) has no memory of its own: nvidia-smi says [N/A].
            memory = read_memory_limit() if total is None else int(total) * _MIB
            left = _available_bytes() if total is None else None if free is None else int(free) * _MIB
            gpus[uuid] = Gpu(name, memory, capability or 0.0, left)
    return tuple(gpus[uuid] for uuid in _list_visible(list(gpus), visible))


def _parse_number(text: str) -> float | None:
    """Return a number of nvidia-smi; None for ``[N/A]``, ``[Not Supported]`` and the like."""
    try:
        return float(text)
    except ValueError:
        return None


def _list_visible(uuids: list[str], visible: str | None) -> list[str]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES shows, in its order.

    As in CUDA, all entries are indices, or all are starts of UUIDs. The first entry that names no GPU, or
    more than one, ends the list; an entry for a GPU that is in the list already empties it.
    """
    if visible is None:
        return uuids
    selection: list[str] = []
    entries = [entry.strip() for entry in visible.split(",")]
    are_indices = entries[0].isdecimal()
    for entry in entries:
        if are_indices:
            matches = uuids[int(entry) : int(entry) + 1] if entry.isdecimal() else []
        else:
            matches = [uuid for uuid in uuids if entry and uuid.startswith(entry)]
        if len(matches) != 1:
            break
        if matches[0] in selection:
            return []
        selection += matches
    return selection


def _ask_torch() -> tuple[Gpu, ...]:
    """Return the GPUs that torch sees, if there is a driver; nothing without torch."""
    if not any(Path(file).exists() for file in _DRIVER_FILES) or importlib.util.find_spec("torch") is None:
        return ()
    try:
        output = subprocess.run(
            [sys.executable, "-c", _TORCH_QUERY],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **isolation.select_variables()},
        ).stdout
        return tuple(Gpu(*values) for values in json.loads(output))
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
