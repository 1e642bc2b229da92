"""The adapter that every stack begins with: the same numbers everywhere, drawn by seed, layer and name.

Left alone, trl draws from a generator that `training.seed` does not reach, torchtune and litgpt from one
that has drawn their whole base model before: the same seed gave each of them another adapter, and at rank 8
their losses ended up to 0.026 apart. The distribution is the one that all of them have (and PEFT with
``init_lora_weights=True``): A uniform within 1 / sqrt(inputs), B zero.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.shards import like
else:
    from shards import like

# As the stack calls a layer → as PEFT does; litgpt keeps those of q, k and v that are trained in one.
_NAMES = {
    "torchtune": {"output_proj": "o_proj", "w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"},
    "litgpt": {"proj": "o_proj", "fc_1": "gate_proj", "fc_2": "up_proj"},
}
_A = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.(.+)\.lora_[aA](?:\.|$)")


def draw(rank: int, inputs: int, *, seed: int, layer: int, name: str) -> Any:
    """The A of one linear layer: rank x inputs."""
    import torch

    digest = hashlib.sha256(f"{seed}/{layer}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    bound = inputs**-0.5
    return torch.empty(rank, inputs).uniform_(-bound, bound, generator=generator)


def begin(model: Any, seed: int, *, rank: int, stack: str = "peft", qkv: tuple[str, ...] = ()) -> int:
    """Give every A of LoRA in the model its numbers; every B is zero already.

    Args:
        model: of the stack, with its adapter in it.
        seed: of the run.
        rank: of the adapter of one linear layer.
        stack: whose names the layers have; ``peft`` for trl, axolotl and unsloth.
        qkv: of litgpt: which of q, k and v are trained, in this order.

    Returns:
        How many linear layers were given theirs. What is no block's linear layer is left as it is.
    """
    import torch

    begun = 0
    with torch.no_grad():
        for key, weight in model.named_parameters():
            hit = _A.search(key.replace("_checkpoint_wrapped_module.", ""))
            if hit is None or weight.dim() != 2:  # a matrix
                continue
            layer, path = int(hit[1]), hit[2]
            last = path.rpartition(".")[2]
            if stack == "litgpt" and path == "mlp.proj":
                last = "down_proj"
            names = qkv if last == "qkv" else (_NAMES.get(stack, {}).get(last, last),)
            parts = [draw(rank, weight.shape[1], seed=seed, layer=layer, name=name) for name in names]
            if sum(len(part) for part in parts) != len(weight):
                continue  # of a rank of its own
            weight.copy_(like(weight, torch.cat(parts)))
            begun += len(parts)
    return begun
