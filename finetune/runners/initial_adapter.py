"""The initial adapter, with the same values in every stack, drawn by seed, layer and name.

By default trl draws from a generator that `training.seed` does not set. torchtune and litgpt draw from one
that has already drawn their whole base model. So the same seed gave each stack another adapter, and at rank 8
their final losses differed by up to 0.026. The distribution is the one of all stacks (and of PEFT with
``init_lora_weights=True``): A is uniform within 1 / sqrt(inputs), B is zero.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.shards import shard_like
else:
    from shards import shard_like

# The stack's name of a layer → PEFT's name. litgpt has one layer for those of q, k and v that it trains.
_NAMES = {
    "torchtune": {"output_proj": "o_proj", "w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"},
    "litgpt": {"proj": "o_proj", "fc_1": "gate_proj", "fc_2": "up_proj"},
}
_A = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.(.+)\.lora_[aA](?:\.|$)")


def draw_matrix(rank: int, inputs: int, *, seed: int, layer: int, name: str) -> Any:
    """Draw the A of one linear layer: rank x inputs."""
    import torch

    digest = hashlib.sha256(f"{seed}/{layer}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    bound = inputs**-0.5
    return torch.empty(rank, inputs).uniform_(-bound, bound, generator=generator)


def initialise_adapter(
    model: Any, seed: int, *, rank: int, stack: str = "peft", qkv: tuple[str, ...] = ()
) -> int:
    """Set every LoRA matrix A in the model; every B is zero already.

    Args:
        model: the stack's model, with its adapter.
        seed: the run's seed.
        rank: rank of the adapter of one linear layer.
        stack: the stack whose layer names the model has; ``peft`` for trl, axolotl and unsloth.
        qkv: litgpt only: which of q, k and v it trains, in this order.

    Returns:
        The number of linear layers that were set. Layers outside the transformer blocks stay as they are.
    """
    import torch

    count = 0
    with torch.no_grad():
        for key, weight in model.named_parameters():
            match = _A.search(key.replace("_checkpoint_wrapped_module.", ""))
            if match is None or weight.dim() != 2:  # a matrix
                continue
            layer, path = int(match[1]), match[2]
            last = path.rpartition(".")[2]
            if stack == "litgpt" and path == "mlp.proj":
                last = "down_proj"
            names = qkv if last == "qkv" else (_NAMES.get(stack, {}).get(last, last),)
            matrices = [
                draw_matrix(rank, weight.shape[1], seed=seed, layer=layer, name=name) for name in names
            ]
            if sum(len(matrix) for matrix in matrices) != len(weight):
                continue  # this layer has another rank
            weight.copy_(shard_like(weight, torch.cat(matrices)))
            count += len(matrices)
    return count
