"""The environment variables that a run on these GPUs needs; what a person has set stays."""

from __future__ import annotations

import os
from collections.abc import Sequence

from finetune.machine import hardware
from finetune.machine.hardware import Gpu

_SMALL_CARD_BYTES = 24 * 2**30
_ALLOCATOR_VARIABLES = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
# accelerate refuses several of these cards with an older driver: there they cannot copy to each other.
_CARDS_WITHOUT_PEERS, _DRIVER_WITH_PEERS = "RTX 40", (550, 40, 7)


def build_variables(processes: int) -> dict[str, str]:
    """Return the variables of a run with one GPU for each process of this machine."""
    gpus = hardware.detect_machine().gpus[:processes]
    return {
        **hardware.select_devices(processes),
        **configure_allocator(gpus),
        **configure_communication(gpus),
    }


def configure_allocator(gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return the setting of torch's allocator for cards of at most 24 GiB.

    Rows of different lengths leave holes between its blocks. Segments that grow have none, so that a run does
    not end out of memory while gigabytes are free in pieces.
    """
    is_small = any(gpu.memory_bytes <= _SMALL_CARD_BYTES for gpu in gpus)
    if not is_small or any(name in os.environ for name in _ALLOCATOR_VARIABLES):
        return {}
    return {_ALLOCATOR_VARIABLES[0]: "expandable_segments:True"}  # every version of torch reads this name


def configure_communication(gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return the settings of NCCL for several consumer cards of the RTX 40 series with an old driver."""
    if len(gpus) < 2 or not any(_CARDS_WITHOUT_PEERS in gpu.name for gpu in gpus):
        return {}
    version = hardware.read_driver_version()
    if version is None or version >= _DRIVER_WITH_PEERS:
        return {}
    names = ("NCCL_P2P_DISABLE", "NCCL_IB_DISABLE")
    return {name: "1" for name in names if name not in os.environ}
