"""Generate the reference page of the five stacks on nine machines, and of the peaks of the cards."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from finetune import spec
from finetune.machine import hardware, roofline
from finetune.plan.all_stacks import StackTask, render_for_stacks
from finetune.stacks import STACKS
from finetune.weights import base

# What nvidia-smi says about the machines: name, GiB, compute capability; and the processes of the run.
MACHINES = {
    "T4": ("Tesla T4, 15, 7.5", 1),
    "RTX 4060, 8 GB": ("NVIDIA GeForce RTX 4060, 8, 8.9", 1),
    "RTX 3090": ("NVIDIA GeForce RTX 3090, 24, 8.6", 1),
    "RTX 4090": ("NVIDIA GeForce RTX 4090, 24, 8.9", 1),
    "2 x RTX 4090": ("2 x NVIDIA GeForce RTX 4090, 24, 8.9", 2),
    "A100": ("NVIDIA A100-SXM4-80GB, 80, 8.0", 1),
    "H100": ("NVIDIA H100 80GB HBM3, 80, 9.0", 1),
    "8 x H100": ("8 x NVIDIA H100 80GB HBM3, 80, 9.0", 8),
    "GB10": ("NVIDIA GB10, 119.7, 12.1", 1),
}
LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 8192},
}  # fmt: skip
LENGTH = 2048
_GIB = 2**30
_HEAD = f"""# Five stacks on nine machines

The same run on each machine: QLoRA of Llama 3.1 8B, r 16 on all linear layers, rows of {LENGTH:,} tokens, batches of 16,
and a process for each GPU; everything else as advisor proposes it. A cell has the predicted peak of a process and
whether the run fits into 85 % of the card. *With* names the smallest change that fits.
`advisor plan --all-stacks` shows the same for your run, and [memory on a GPU](../explanation/memory.md) says how good the
prediction is.
"""
_SPEED = """
## The limit of the speed

Tokens a second of all processes together, with the data sheet of the maker; trl's settings. `advisor plan` shows the
limit for your run.
"""


def gpu_page() -> str:
    """Return the page."""
    lines = [_HEAD, "| machine | type | " + " | ".join(STACKS) + " |", "|---|---|" + "---|" * len(STACKS)]
    notes: dict[str, list[str]] = {}
    speeds = ["| machine | limit | expected | data sheet |", "|---|---|---|---|"]
    for machine in MACHINES:
        run_spec, tasks, limit = plan_machine(machine)
        lines.append(
            f"| {machine} | {run_spec.training.dtype} | " + " | ".join(map(_format_cell, tasks)) + " |"
        )
        for task in tasks:
            for deviation in task.config.deviations if task.config else ():
                notes.setdefault(f"{task.stack}: {deviation}", []).append(machine)
        speeds.append(_format_speed(machine, limit))
    lines += ["", "What the stacks do otherwise than the run says:", ""]
    lines += [f"- {note} ({_join_machines(machines)})" for note, machines in sorted(notes.items())]
    return "\n".join([*lines, _SPEED, *speeds]) + "\n"


def plan_machine(machine: str) -> tuple[spec.RunSpec, tuple[StackTask, ...], roofline.SpeedLimit | None]:
    """Return the run on a machine, the task of each stack, and the limit of the speed."""
    description, processes = MACHINES[machine]
    with (
        tempfile.TemporaryDirectory() as scratch,
        mock.patch.dict(os.environ, {hardware.GPUS_VARIABLE: description}),
    ):
        folder = Path(scratch) / "Llama-3.1-8B"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(LLAMA_8B))
        found = hardware.detect_machine()
        layer = {"model": {"base": str(folder)}, "data": {"train": "rows.jsonl", "max_length": LENGTH},
                 "devices": {"processes": processes}}  # fmt: skip
        composed_spec = spec.resolve_spec(
            spec.compose_spec([("--set", layer)]),
            gpus=len(found.gpus),
            bfloat16=found.has_bfloat16(processes),
        )
        shape = base.read_shape(LLAMA_8B)
        summary = {"longest": LENGTH, "test_rows": 100, "train_rows": 900}
        plan: Any = SimpleNamespace(
            proposed_spec=composed_spec, spec=composed_spec.spec, shape=shape, machine=found,
            data=SimpleNamespace(rows=900, summary=summary),
        )  # fmt: skip
        tasks = render_for_stacks(plan)
    limit = roofline.predict_limit(shape, composed_spec.spec, LENGTH, found.gpus) if shape else None
    return composed_spec.spec, tasks, limit


def _format_cell(task: StackTask) -> str:
    if task.config is None:
        return f"refused: {task.refusal}"
    text = f"{task.peak_bytes / _GIB:.1f} GiB, " + ("fits" if task.fits else "does not fit")
    if not task.fits and not task.change:
        return f"{text}; no smaller setting does"
    if task.change:
        options = ", ".join(f"`{name}={str(value).lower()}`" for name, value in task.change.items())
        text += f"; with {options} it fits"
    return text


def _format_speed(machine: str, limit: roofline.SpeedLimit | None) -> str:
    name = (
        MACHINES[machine][0].partition(",")[0].partition(" x ")[2] or MACHINES[machine][0].partition(",")[0]
    )
    card = roofline.find_card(name)
    if limit is None or card is None:
        return f"| {machine} | unknown | | |"
    low, high = (share * limit.tokens_per_second for share in roofline.EXPECTED_SHARES)
    return f"| {machine} | {_round(limit.tokens_per_second)} | {_round(low)} to {_round(high)} | [{name}]({card.source}) |"


def _round(rate: float) -> str:
    return f"{round(rate, -2):,.0f}"


def _join_machines(machines: list[str]) -> str:
    return "all machines" if len(machines) == len(MACHINES) else ", ".join(machines)


if __name__ == "__main__":
    print(gpu_page())
