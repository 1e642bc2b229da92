"""Save the logits of the stack's own model for one row; `equivalence` compares PEFT's with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_ROWS, _TOKENS = 64, 64


def save_probe(model: Any, run: Path, *, quiet: bool = False) -> None:
    """Write token ids and logits (1, tokens, vocabulary) to ``RUN/work/probe.safetensors``.

    The row is the longest of the first rows, truncated: long enough to show an error, short enough for any
    model. The model stays in evaluation mode. If several processes hold parts of the model, all of them must
    call this; those that are ``quiet`` write nothing.
    """
    import torch
    from safetensors.torch import save_file

    with (run / "data" / "train.jsonl").open("rb") as lines:
        rows = [json.loads(line)["input_ids"] for line, _ in zip(lines, range(_ROWS), strict=False)]
    # litgpt may offload the frozen weights, so the device is that of a trained one.
    parameter = next(p for p in model.parameters() if p.requires_grad)
    ids = torch.tensor([max(rows, key=len)[:_TOKENS]], device=parameter.device)
    model.eval()
    keep_precision(model)
    with torch.no_grad():
        output = model(ids)
    output = getattr(output, "logits", output)
    logits = torch.cat(output, dim=1) if isinstance(output, list) else output
    if quiet:
        return
    tensors = {"input_ids": ids.cpu(), "logits": logits.float().cpu().contiguous()}
    save_file(tensors, run / "work" / "probe.safetensors")


def keep_precision(model: Any) -> None:
    """Make bitsandbytes compute with its 4-bit layers in the type of their input on a CPU too.

    On a CPU with AVX512-BF16 it would compute in bfloat16, and only with whole blocks of inputs.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
