"""The memory that training needs on the GPUs: in the plain way, and at the least by any recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping

GIB = 1024**3

# Bytes of a parameter in the plain way. full: bf16 weights and gradients, fp32 copy and two Adam moments
# (Rajbhandari et al. 2020, ZeRO, table of mixed precision). lora: bf16 weights. qlora: NF4 with double
# quantisation, 4 + 8/64 + 32/(64*256) bits (Dettmers et al. 2023). Activations and adapters need more.
PLAIN_BYTES = {"full": 16.0, "lora": 2.0, "qlora": (4 + 8 / 64 + 32 / (64 * 256)) / 8}

# Bytes of a parameter that a recipe keeps at the least. full: bf16 weights; gradients can be freed in the
# backward pass and optimizer states can be elsewhere (torchtune trains 8B in 18.9 GiB, README.md at
# bd2a0fc7c). lora: 8-bit weights. qlora: 2-bit weights (LLaMA-Factory, README.md at 2ebe7be61).
LEAST_BYTES = {"full": 2.0, "lora": 1.0, "qlora": 0.25}

# Where weights can be in CPU memory (DeepSpeed ZeRO-3, FSDP), a GPU holds one block of the model at a time.
# The largest block has at least the mean size, and no tracked model has more blocks than this.
MAX_BLOCKS = 256


def parse_parameters(model: str) -> float | None:
    """Return the billions of parameters in a model's name; None if it has none.

    9 for gemma-2-9b. For a mixture such as 8x7b, 7: the experts share a part that the name does not tell, so
    the size of one is all that is certain.
    """
    name = model.rsplit("/", 1)[-1].lower()
    if match := re.search(r"(?<![\d.])(\d+)x(\d+(?:\.\d+)?)b(?![a-z])", name):
        return float(match[2])
    sizes = re.findall(r"(?<![\d.a-z])(\d+(?:\.\d+)?)([bm])(?![a-z\d])", name)
    return max((float(n) * (1 if unit == "b" else 1e-3) for n, unit in sizes), default=None)


def compute_memory(
    billions: float, method: str, there_gib: float, *, can_offload: bool = True
) -> Mapping[str, float | str]:
    """Return whether the training fits into the memory of all GPUs.

    Args:
        billions: parameters of the model.
        method: ``full``, ``lora`` or ``qlora``.
        there_gib: memory of all GPUs together.
        can_offload: whether the library may keep weights in CPU memory.

    Returns:
        ``fits``: ``yes`` in the plain way, ``tight`` if only a recipe that keeps less can fit, ``no`` if no
        known recipe can; the need behind this word, the memory that is there, and the arithmetic in words.
    """
    plain, least = (billions * 1e9 * size[method] / GIB for size in (PLAIN_BYTES, LEAST_BYTES))
    least = least / MAX_BLOCKS if can_offload else least
    fits = "yes" if plain <= there_gib else "tight" if least <= there_gib else "no"
    if fits == "no":
        what = f"one of at most {MAX_BLOCKS} blocks" if can_offload else "the weights"
        evidence = f"{what} of {billions:g} billion parameters, {LEAST_BYTES[method]:g} bytes each"
    else:
        evidence = f"{billions:g} billion parameters, {PLAIN_BYTES[method]:.3g} bytes each"
    return {
        "memory_needed_gib": round(least, 2) if fits == "no" else round(plain, 1),
        "memory_there_gib": round(there_gib, 1),
        "memory_evidence": evidence,
        "fits": fits,
    }
