"""A model that several processes hold in parts: count, gather and distribute its tensors.

Without torchrun there is one process, which holds everything, and these functions cost nothing.
"""

from __future__ import annotations

import os
from typing import Any


def process_count() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the rank of this process; only rank 0 reports and writes."""
    return int(os.environ.get("RANK", "0"))


def count_parameters(model: Any) -> dict[str, int]:
    """Return the number of parameters of the model and of the part in this process (with DDP: all)."""
    parameters = list(model.parameters())
    local = [p.to_local() if hasattr(p, "to_local") else p for p in parameters]
    return {
        "parameters": sum(int(p.numel()) for p in parameters),
        "parameters_here": sum(int(p.numel()) for p in local),
    }


def gather(value: Any) -> Any:
    """Return the value with every sharded tensor in it gathered; all processes must call this."""
    if isinstance(value, dict):
        return {key: gather(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(gather(item) for item in value)
    if not hasattr(value, "full_tensor"):
        return value
    tensor = value.detach().full_tensor()
    return tensor.wait() if hasattr(tensor, "wait") else tensor


def shard_like(weight: Any, value: Any) -> Any:
    """Return this process's part of a full tensor, sharded as ``weight`` is; every process has the tensor."""
    if not hasattr(weight, "device_mesh"):
        return value
    from torch.distributed.tensor import distribute_tensor

    on_device = value.to(weight.device)
    return distribute_tensor(on_device, weight.device_mesh, weight.placements, src_data_rank=None)


def sum_over_processes(values: list[float]) -> list[float]:
    """Return the sum of each value over all processes."""
    if process_count() == 1:
        return values
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    sums = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(sums)
    return [float(value) for value in sums]


def gather_objects(value: Any) -> list[Any]:
    """Return the values of all processes, by rank."""
    if process_count() == 1:
        return [value]
    import torch

    values: list[Any] = [None] * process_count()
    torch.distributed.all_gather_object(values, value)
    return values


def wait_for_all() -> None:
    """Wait until all processes are here."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def shut_down() -> None:
    """Leave the process group together; a process that still gathers would wait for one that left."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
