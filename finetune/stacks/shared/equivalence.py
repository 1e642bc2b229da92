"""Check that PEFT with the exported adapter gives the same logits as the stack's own model.

Run as ``python -m finetune.stacks.shared.equivalence RUN…``.

The runner saved token ids and its model's logits in ``work/probe.safetensors``. Here transformers and PEFT
compute the logits for the same ids. The result and the size of the adapter's effect go to ``RUN/gate.json``.
A wrong conversion fails this check; torchtune's own export of Qwen is one.

After QLoRA, PEFT computes on the 4-bit base of bitsandbytes, whose layers use the dequantised weights. A
stack that trains on another base fails: litgpt's own 4-bit training normalises the embedding, for example.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from finetune import isolation
from finetune.errors import TrainingError
from finetune.record import read_record, read_spec, write_text
from finetune.runners.probe import keep_precision
from finetune.spec import RunSpec

ADAPTER_LOGITS = Path("work", "adapter-logits.safetensors")
# Largest error relative to the largest logit. Two correct implementations differ by 1e-6 to 1e-5 in float32,
# and by the rounding in every layer in bfloat16 (8 bits of mantissa) and float16.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
# The scales of 4-bit blocks are rounded to 8 bits in groups, and the groups of torchao and of litgpt's joint
# layers are others than in transformers: the logits then differ by up to 0.02 of the largest.
QUANTISED_TOLERANCE = 5e-2


# Stacks that quantise the output layer too; transformers keeps it as it is.
ROUNDED_OUTPUT = ("litgpt",)


def check_logits(run: Path) -> dict[str, Any]:
    """Compare the logits, in a separate process.

    Returns:
        ``error``, ``effect`` (largest differences of logits), ``scale`` (largest logit), ``tolerance``,
        ``passed``.

    Raises:
        TrainingError: the logits differ by more than rounding, or cannot be computed.
    """
    command = [sys.executable, "-m", "finetune.stacks.shared.equivalence", str(run)]
    process = isolation.run_program(command, isolation.OFFLINE)
    if process.returncode:
        last = (process.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingError(f"cannot check the adapter in {run / 'adapter'}: {last}")
    result: dict[str, Any] = json.loads((run / "gate.json").read_text("utf-8"))
    if not result["passed"]:
        raise TrainingError(
            f"the adapter in {run / 'adapter'} is wrong: its logits differ from the stack's own by "
            f"{result['error']:.1e}, and rounding explains only {result['tolerance'] * result['scale']:.1e} "
            f"(the adapter changes the logits by {result['effect']:.1e})"
        )
    return result


def compare_logits(run: Path, spec: RunSpec) -> dict[str, Any]:
    """Compare the logits in this process; the keys are those of `check_logits`."""
    import torch
    from safetensors.torch import load_file, save_file

    from finetune.after.evaluate import load_model

    probe = load_file(run / "work" / "probe.safetensors")
    model = load_model(run, spec, is_quantised=spec.method.name == "qlora")
    if spec.method.name == "qlora" and spec.stack in ROUNDED_OUTPUT:
        _round_output_layer(model, spec)
    keep_precision(model)
    ids = probe["input_ids"].to(model.device)
    with torch.no_grad():
        with_adapter = model(input_ids=ids).logits.float().cpu()
        with model.disable_adapter():
            without = model(input_ids=ids).logits.float().cpu()
    # `advisor bench --parity` compares them with those of another version's adapter.
    save_file({"input_ids": ids.cpu(), "logits": with_adapter.contiguous()}, run / ADAPTER_LOGITS)
    width = min(with_adapter.shape[-1], probe["logits"].shape[-1])  # litgpt may pad the vocabulary
    stack_logits = probe["logits"][..., :width]
    error = float((with_adapter[..., :width] - stack_logits).abs().max())
    scale, tolerance = float(stack_logits.abs().max()), _choose_tolerance(spec)
    return {
        "error": error,
        "effect": float((with_adapter - without).abs().max()),
        "scale": scale,
        "tolerance": tolerance,
        "passed": error <= tolerance * max(1.0, scale),
    }


def _choose_tolerance(spec: RunSpec) -> float:
    tolerance = TOLERANCE[str(spec.training.dtype)]
    return max(tolerance, QUANTISED_TOLERANCE) if spec.method.name == "qlora" else tolerance


def _round_output_layer(model: Any, spec: RunSpec) -> None:
    """Give the output layer the values that it has after quantisation; the embedding keeps its own."""
    import torch
    from bitsandbytes import functional

    layer = model.get_output_embeddings()
    quantisation = spec.quantisation
    weight, state = functional.quantize_4bit(
        layer.weight.detach(), quant_type=quantisation.type, compress_statistics=quantisation.double
    )
    layer.weight = torch.nn.Parameter(functional.dequantize_4bit(weight, state), requires_grad=False)


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        result = compare_logits(folder, read_spec(folder, read_record(folder)))
        write_text(folder / "gate.json", json.dumps(result, indent=1) + "\n")
