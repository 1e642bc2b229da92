"""What the stack's own model says to one row, saved so that `gate` can compare PEFT's answer with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_ROWS, _TOKENS = 64, 64


def leave(model: Any, run: Path, *, quiet: bool = False) -> None:
    """Write ids and logits (1, tokens, vocabulary) to ``RUN/work/probe.safetensors``.

    The row is the longest of the first ones, cut: enough tokens for an error to show, few enough for any
    model, which is left in evaluation mode. Of several processes that hold parts of it all must ask, and
    those that are ``quiet`` write nothing.
    """
    import torch
    from safetensors.torch import save_file

    with (run / "data" / "train.jsonl").open("rb") as lines:
        rows = [json.loads(line)["input_ids"] for line, _ in zip(lines, range(_ROWS), strict=False)]
    trained = next(p for p in model.parameters() if p.requires_grad)  # litgpt may offload the others
    ids = torch.tensor([max(rows, key=len)[:_TOKENS]], device=trained.device)
    model.eval()
    with torch.no_grad():
        answer = model(ids)
    answer = getattr(answer, "logits", answer)
    logits = torch.cat(answer, dim=1) if isinstance(answer, list) else answer
    if quiet:
        return
    kept = {"input_ids": ids.cpu(), "logits": logits.float().cpu().contiguous()}
    save_file(kept, run / "work" / "probe.safetensors")
