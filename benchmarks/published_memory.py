"""Compare the memory prediction with published peaks of GPU memory.

    python benchmarks/published_memory.py    # the table of docs/explanation/memory.md

`published_memory.toml` has the figures, with the settings and the source of each. A figure that torch
reported is compared with a prediction without CUDA's context; the memory of a card is compared with the whole
prediction. What torch reserved is compared with the prediction times the ratio of reserved to allocated
memory that the same source states.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune.machine import activations, memory
from finetune.spec import RunSpec
from finetune.weights.base import Shape, read_shape

FILE = Path(__file__).with_suffix(".toml")
TABLE = tomllib.loads(FILE.read_text("utf-8"))
_GIB = 2**30


def build_spec(figure: dict[str, Any]) -> RunSpec:
    """Return the run of a published figure."""
    processes, micro = figure.get("processes", 1), figure["micro_batch_size"]
    batch = {"batch_size": micro * processes, "micro_batch_size": micro}
    training = get_fields(figure, "gradient_checkpointing", "own_speedups", "optimizer")
    return RunSpec.model_validate({
        "stack": figure["stack"],
        "model": {"base": figure["model"]},
        "data": {"train": "rows", "max_length": figure["length"]},
        "method": {
            "name": figure["method"],
            **get_fields(figure, "r", "targets", "dropout", "dora", "virtual_tokens"),
        },
        "quantisation": {"double": figure.get("double", True)},
        "training": {"dtype": "bfloat16", **batch, **training},
        "devices": {"kind": "cuda", "processes": processes, **get_fields(figure, "strategy")},
        "evaluation": {"rows": 0},
    })  # fmt: skip


def predict_figure(figure: dict[str, Any]) -> float:
    """Return the predicted GiB, with what the source's run has and ours has not."""
    shape, spec = read_shape(TABLE["models"][figure["model"]]), build_spec(figure)
    assert shape is not None
    prediction = memory.predict_memory(shape, spec, figure["length"])
    for difference in figure.get("differs", ()):
        prediction = apply_difference(difference, prediction, shape, spec)
    if figure["measure"] in ("allocated", "reserved"):
        allocated = (prediction.total - prediction.runtime) / _GIB
        return allocated * (get_reserved_ratio(figure) if figure["measure"] == "reserved" else 1)
    return prediction.total / _GIB


def get_reserved_ratio(figure: dict[str, Any]) -> float:
    """Return reserved over allocated memory as the figure's source states it for a run; else 1."""
    ratio: float = TABLE["sources"][figure["source"]].get("reserved_ratio", 1.0)
    return ratio


def get_fields(figure: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields of a figure that are set."""
    return {name: figure[name] for name in names if name in figure}


def apply_difference(
    difference: str, prediction: memory.Prediction, shape: Shape, spec: RunSpec
) -> memory.Prediction:
    """Return the prediction with something that the source's run has and ours has not."""
    rows, length = spec.training.micro_batch_size or 1, spec.data.max_length
    table, tokens = shape.vocabulary_size * shape.hidden_size, rows * length
    changes = {"activations": 0, "logits": 0, "weights": 0, "adapter": 0}
    if difference == "offloaded":  # two layers are on the GPU
        changes["activations"] = 2 * prediction.activations // shape.layers - prediction.activations
    elif difference == "fused":
        changes["logits"] = activations.count_recomputed_bytes(shape, spec, length, rows) - prediction.logits
    elif difference == "old-loss":
        logits = (18 * shape.vocabulary_size + 9 * shape.hidden_size) * tokens
        changes["logits"] = max(0, logits - prediction.logits)
    elif difference == "float32-head":  # embedding and output layer
        changes["weights"] = 4 * table
    elif difference == "bfloat16-adapter":
        changes["adapter"] = -prediction.adapter // 2
    elif difference == "plain" and spec.method.name == "lora":
        linears = [shape.linears()[name] for name in spec.method.targets]
        values = sum(2 * inputs + (2 * outputs if spec.method.dora else 0) for inputs, outputs in linears)
        changes["activations"] = shape.layers * values * tokens
    elif difference == "head-adapter":  # the logits of the adapter beside those of the base
        changes["logits"] = 2 * shape.vocabulary_size * tokens
    elif difference == "embedding":  # the sum of the gradients and the new ones, in 16 bits
        changes["adapter"] = 4 * table
    elif difference == "whole-gradients":  # of all weights in 16 bits: FSDP1 while gradients accumulate
        changes["adapter"] = 2 * shape.parameters
    return replace(
        prediction, **{name: getattr(prediction, name) + change for name, change in changes.items()}
    )


def describe_figure(figure: dict[str, Any]) -> str:
    """Return the settings of a figure in words."""
    gradient = "checkpointing" if figure["gradient_checkpointing"] else "no checkpointing"
    parts = [f"{figure['micro_batch_size']} × {figure['length']:,}"]
    parts += [f"r {figure['r']}"] if "r" in figure else []
    parts += ["DoRA"] if figure.get("dora") else []
    parts += [f"{figure['virtual_tokens']} virtual tokens"] if "virtual_tokens" in figure else []
    parts.append(gradient)
    parts += figure.get("differs", ())
    if figure.get("processes", 1) > 1:
        parts.append(f"{figure['processes']} GPUs")
    return ", ".join(parts)


def format_table() -> list[str]:
    """Return the table of all figures as Markdown."""
    lines = [
        "| source | stack | model | method | settings | published, GiB | predicted, GiB | error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for figure in TABLE["figures"]:
        predicted, published = predict_figure(figure), figure["published"]
        error = f"{predicted / published - 1:+.0%}"
        text = f"{published:.1f}"
        if "capped" in figure.get("differs", ()):
            is_refused = predicted > memory.SAFE_SHARE * published
            text, error = f"more than {published:.1f}", "“does not fit”" if is_refused else "“fits”"
        lines.append(
            f"| {figure['source']} | {figure['stack']} | {figure['model']} | {figure['method']} | "
            f"{describe_figure(figure)} | {text} | {predicted:.1f} | {error} |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(format_table()))
