"""A model that several processes hold in parts: how much is here, made whole, given its numbers.

Without torchrun there is one process, which holds everything, and each function here is free.
"""

from __future__ import annotations

import os
from typing import Any


def processes() -> int:
    """How many train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; 0 alone speaks and writes."""
    return int(os.environ.get("RANK", "0"))


def held_here(model: Any) -> dict[str, int]:
    """Weights of the model, and how many of them this process holds (all of them with DDP)."""
    weights = list(model.parameters())
    here = [w.to_local() if hasattr(w, "to_local") else w for w in weights]
    return {
        "parameters": sum(int(w.numel()) for w in weights),
        "parameters_here": sum(int(w.numel()) for w in here),
    }


def whole(value: Any) -> Any:
    """The value with every sharded tensor in it gathered; all processes must ask for it."""
    if isinstance(value, dict):
        return {key: whole(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(whole(one) for one in value)
    if not hasattr(value, "full_tensor"):
        return value
    gathered = value.detach().full_tensor()
    return gathered.wait() if hasattr(gathered, "wait") else gathered


def like(weight: Any, value: Any) -> Any:
    """A whole tensor, which every process has, as ``weight`` is held: this process's part of it."""
    if not hasattr(weight, "device_mesh"):
        return value
    from torch.distributed.tensor import distribute_tensor

    there = value.to(weight.device)
    return distribute_tensor(there, weight.device_mesh, weight.placements, src_data_rank=None)


def summed(values: list[float]) -> list[float]:
    """Each value's sum over all processes."""
    if processes() == 1:
        return values
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    told = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(told)
    return [float(one) for one in told]


def of_each(value: Any) -> list[Any]:
    """The values of all processes, by rank."""
    if processes() == 1:
        return [value]
    import torch

    told: list[Any] = [None] * processes()
    torch.distributed.all_gather_object(told, value)
    return told


def wait() -> None:
    """Until all processes are here."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def leave_together() -> None:
    """Nobody leaves while another process still gathers: it would wait for the one that left."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
