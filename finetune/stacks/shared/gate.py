"""Check that the exported adapter gives the logits of the stack's own model.

Run as ``python -m finetune.stacks.shared.gate RUN…``.

The runner left some ids and its model's logits in ``work/probe.safetensors``. Here transformers and PEFT
answer for the same ids; the answer, with the size of the adapter's effect beside it, is written to
``RUN/gate.json``. A wrong conversion (torchtune's own export of Qwen is one) does not pass.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from finetune.errors import TrainingFailed
from finetune.record import load, write_text
from finetune.spec import RunSpec

# Largest error over the largest logit. Two correct implementations in float32 differ by 1e-6 to 1e-5;
# in bfloat16 (8 bits of mantissa) and float16 by rounding in every layer.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}


def check(run: Path) -> dict[str, Any]:
    """Compare in a process of its own.

    Returns:
        ``error``, ``effect`` (largest differences of logits), ``scale`` (largest logit), ``tolerance``,
        ``passed``.

    Raises:
        TrainingFailed: the logits differ by more than rounding, or could not be had.
    """
    done = subprocess.run(
        [sys.executable, "-m", "finetune.stacks.shared.gate", str(run)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingFailed(f"the adapter in {run / 'adapter'} cannot be checked: {last}")
    told: dict[str, Any] = json.loads((run / "gate.json").read_text("utf-8"))
    if not told["passed"]:
        raise TrainingFailed(
            f"the adapter in {run / 'adapter'} is wrong: its logits differ from the stack's own model's by "
            f"{told['error']:.1e} where rounding explains {told['tolerance'] * told['scale']:.1e} "
            f"(the adapter's whole effect is {told['effect']:.1e})"
        )
    return told


def compare(run: Path, spec: RunSpec) -> dict[str, Any]:
    """Both answers, set side by side."""
    import torch
    from safetensors.torch import load_file

    from finetune.after.evaluate import load as load_model

    probe = load_file(run / "work" / "probe.safetensors")
    model = load_model(run, spec, quantised=False)
    ids = probe["input_ids"].to(model.device)
    with torch.no_grad():
        with_adapter = model(input_ids=ids).logits.float().cpu()
        with model.disable_adapter():
            without = model(input_ids=ids).logits.float().cpu()
    width = min(with_adapter.shape[-1], probe["logits"].shape[-1])  # litgpt may pad the vocabulary
    told = probe["logits"][..., :width]
    error = float((with_adapter[..., :width] - told).abs().max())
    scale, tolerance = float(told.abs().max()), TOLERANCE[str(spec.training.dtype)]
    return {
        "error": error,
        "effect": float((with_adapter - without).abs().max()),
        "scale": scale,
        "tolerance": tolerance,
        "passed": error <= tolerance * max(1.0, scale),
    }


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        answer = compare(folder, RunSpec.model_validate(load(folder).spec))
        write_text(folder / "gate.json", json.dumps(answer, indent=1) + "\n")
