"""The date, hardware and versions that every results file of a benchmark contains."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

from finetune.machine import hardware

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes")


def describe_hardware() -> dict:
    """Return date, processor, cores, memory, GPUs, load and versions."""
    machine = hardware.detect_machine()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": machine.processor,
        "cores": machine.cores,
        "memory_gib": round(machine.memory_bytes / 2**30, 1),
        "gpus": [f"{gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB" for gpu in machine.gpus],
        "load_1_5_15_min": [round(load, 1) for load in os.getloadavg()],
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
