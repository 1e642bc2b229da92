"""What a planned run costs: memory by part and whether it fits, time from similar runs, disk space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finetune import record
from finetune.data import dataset
from finetune.machine import hardware, memory, roofline

if TYPE_CHECKING:
    from finetune.run import Plan
    from finetune.weights.base import Shape

_GIB = 2**30


def describe_costs(plan: Plan) -> list[str]:
    """Return the costs as text, one line per part."""
    if plan.prediction is None or plan.shape is None:
        lines = ["memory: unknown; advisor does not know the names of the sizes in the model's config.json"]
    else:
        lines = [f"memory, peak by part ({plan.spec.devices.kind}):"]
        parts = {n: b for n, b in plan.prediction.as_dict().items() if n != "evaluation"}
        lines += [f"{n:>12}  {b / _GIB:7.2f} GiB" for n, b in parts.items()]
        lines.append(_describe_fit(plan, plan.shape, plan.prediction.total))
        lines += _describe_evaluation(plan, plan.shape)
    devices = plan.spec.devices
    notes = (
        hardware.describe_unused_gpus(plan.machine, devices.kind, devices.processes),
        hardware.describe_emulation(plan.machine, devices.kind, plan.spec.training.dtype, devices.processes),
    )
    return [
        *(f"devices: {note}" for note in notes if note),
        *lines,
        *_describe_speed(plan),
        *describe_time(plan),
        describe_disk(plan),
    ]


def _describe_fit(plan: Plan, shape: Shape, peak: int) -> str:
    """Say that the run fits into memory, or name the smallest change that makes it fit."""
    available = plan.machine.usable_bytes(plan.spec.devices.kind, plan.spec.devices.processes)
    if peak <= memory.SAFE_SHARE * available:
        return f"fits: {peak / _GIB:.2f} of {available / _GIB:.2f} GiB"
    longest, files = plan.data.summary["longest"], memory.count_file_bytes(plan.spec.model.base)
    change = memory.find_smallest_change(shape, plan.spec, longest, files, available)
    text = f"does not fit: {peak / _GIB:.2f} of {available / _GIB:.2f} GiB. "
    if change is None:
        return text + "No smaller micro-batch, checkpointing, 4 bits or length is enough; use a smaller model"
    options = " ".join(f"--set {name}={str(value).lower()}" for name, value in change.values.items())
    return text + f"The smallest change that fits: {options} ({change.total / _GIB:.2f} GiB)"


def _describe_evaluation(plan: Plan, shape: Shape) -> list[str]:
    """Say which models the evaluation after a run on a GPU can judge."""
    spec = plan.spec
    if spec.devices.kind != "cuda" or not spec.evaluation.rows:
        return []
    length = min(plan.data.summary["longest"], spec.data.max_length)
    half = "32-bit" if spec.training.dtype == "float32" else "16-bit"
    widths = ("4-bit", half) if spec.method.name == "qlora" else (half,)
    available = plan.machine.usable_bytes("cuda", 1)
    texts = []
    for width in widths:
        need = memory.predict_evaluation(shape, spec, length, is_quantised=width == "4-bit")
        verb = "is judged" if need <= available else "is not judged"
        texts.append(f"the {width} model needs {need / _GIB:.2f} GiB and {verb}")
    return [f"evaluation: {'; '.join(texts)}"]


def _describe_speed(plan: Plan) -> list[str]:
    """Describe the limit of the speed on these cards, and what trainers usually reach."""
    spec = plan.spec
    if plan.shape is None or spec.devices.kind != "cuda":
        return []
    length = plan.data.summary["train_tokens"] / max(1, plan.data.rows)
    limit = roofline.predict_limit(plan.shape, spec, length, plan.machine.gpus)
    names = ", ".join(dict.fromkeys(gpu.name for gpu in plan.machine.gpus[: spec.devices.processes]))
    if limit is None:
        return [f"speed: the limit is unknown; advisor has no peaks of {names}, or for this kind of model"]
    low, high = (round(share * limit.tokens_per_second, -2) for share in roofline.EXPECTED_SHARES)
    cause = "reading the weights" if limit.is_by_memory else "computing"
    rate, work = round(limit.tokens_per_second, -2), limit.flops_per_token / 1e9
    what = f"at most {rate:,.0f} tokens/s on {spec.world_size} x {names}"
    why = f"{work:.1f} GFLOP a token, limited by {cause}"
    return [f"speed: {what} ({why}); expected {low:,.0f} to {high:,.0f}"]


def describe_time(plan: Plan) -> list[str]:
    """Estimate the time from finished runs of the same stack on the same kind of machine."""
    rows = dataset.count_sequences(plan.data, plan.spec)
    steps = plan.spec.count_steps(rows)
    row_tokens = plan.data.summary["train_tokens"] / max(1, rows)
    tokens = steps * plan.spec.training.batch_size * row_tokens
    rates = [s for _, r in record.iterate_runs() if (s := _seconds_per_work(r.__dict__, plan)) is not None]
    size = f"{steps} steps, about {tokens:,.0f} tokens"
    if not rates or plan.shape is None:
        return [f"time: {size}; unknown until a similar run finishes on this machine"]
    rates.sort()
    seconds = rates[len(rates) // 2] * tokens * plan.shape.parameters
    return [f"time: {size}; about {_format_duration(seconds)}, from {len(rates)} runs on this machine"]


def _seconds_per_work(values: Mapping[str, Any], plan: Plan) -> float | None:
    """Return seconds per token and parameter of a run with the same stack, method, processor and GPUs."""
    machine = values["environment"].get("machine") or {}
    gpus = [gpu["name"] for gpu in machine.get("gpus", ())]
    is_similar = (
        values["state"] == "finished"
        and values["stack"] == plan.spec.stack
        and values["spec"]["method"]["name"] == plan.spec.method.name
        and values["spec"]["method"].get("objective", "sft") == plan.spec.method.objective
        and machine.get("processor") == plan.machine.processor
        and gpus == [gpu.name for gpu in plan.machine.gpus]
    )
    if not is_similar or not values["model"].get("parameters") or not values["attempts"]:
        return None
    last = values["attempts"][-1]
    rows = (last.to_step - last.from_step) * values["spec"]["training"]["batch_size"]
    tokens = rows * values["data"]["train_tokens"] / max(1, values["data"]["train_rows"])
    work = tokens * values["model"]["parameters"]
    return last.seconds / work if work and last.seconds else None


def describe_disk(plan: Plan) -> str:
    """Describe the disk space of adapter, checkpoints (float32 weights, AdamW's two moments) and tokens."""
    if plan.shape is None:
        return "disk: unknown"
    count = memory.count_trainable_parameters(plan.shape, plan.spec)
    adapter, checkpoint = 4 * count, 12 * count
    total = adapter + plan.spec.logging.keep_checkpoints * checkpoint + record.count_bytes(plan.data.folder)
    sizes = f"{count:,} trained parameters; adapter {adapter / 2**20:,.0f} MiB"
    return f"disk: about {total / 2**20:,.0f} MiB ({sizes})"


def _format_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
