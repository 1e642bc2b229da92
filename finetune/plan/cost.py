"""What a plan will cost: memory by part and whether it fits, time from runs like it, disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finetune import record
from finetune.machine import memory

if TYPE_CHECKING:
    from finetune.run import Plan
    from finetune.weights.base import Shape

_GIB = 2**30


def describe_costs(plan: Plan) -> list[str]:
    """A line a part, for people."""
    if plan.prediction is None or plan.shape is None:
        told = ["memory: not known; this family names its sizes in a way that is not understood"]
    else:
        told = [f"memory, peak by part ({plan.spec.devices.kind}):"]
        told += [f"{n:>12}  {b / _GIB:7.2f} GiB" for n, b in plan.prediction.as_dict().items()]
        told.append(_verdict(plan, plan.shape, plan.prediction.total))
    return [*told, *describe_time(plan), describe_disk(plan)]


def _verdict(plan: Plan, shape: Shape, need: int) -> str:
    """``fits``, or the smallest change that makes it fit."""
    room = plan.machine.usable_bytes(plan.spec.devices.kind)
    if need <= memory.SAFE_SHARE * room:
        return f"fits: {need / _GIB:.2f} of {room / _GIB:.2f} GiB"
    longest, files = plan.data.summary["longest"], memory.count_file_bytes(plan.spec.model.base)
    change = memory.find_smallest_change(shape, plan.spec, longest, files, room)
    told = f"does not fit: {need / _GIB:.2f} of {room / _GIB:.2f} GiB. "
    if change is None:
        return (
            told + "No change of micro-batch, checkpointing, 4 bits or length is enough; take a smaller model"
        )
    wishes = " ".join(f"--set {name}={str(value).lower()}" for name, value in change.values.items())
    return told + f"The smallest change that fits: {wishes} ({change.total / _GIB:.2f} GiB)"


def describe_time(plan: Plan) -> list[str]:
    """Time, from finished runs of the same stack on the same kind of machine; unknown without one."""
    steps = plan.spec.count_steps(plan.data.rows)
    a_row = plan.data.summary["train_tokens"] / max(1, plan.data.rows)
    tokens = steps * plan.spec.training.batch_size * a_row
    known = [s for _, r in record.iterate_runs() if (s := _seconds_per_work(r.__dict__, plan)) is not None]
    size = f"{steps} steps, about {tokens:,.0f} tokens"
    if not known or plan.shape is None:
        return [f"time: {size}; not known, no run on this machine to learn from yet"]
    known.sort()
    seconds = known[len(known) // 2] * tokens * plan.shape.parameters
    return [f"time: {size}; about {_span(seconds)}, from {len(known)} runs on this machine"]


def _seconds_per_work(told: Mapping[str, Any], plan: Plan) -> float | None:
    """Seconds for a token and a parameter, of a run of the same method on the same processor and GPUs."""
    here = {"processor": plan.machine.processor, "gpus": [g.name for g in plan.machine.gpus]}
    there = told["environment"].get("machine") or {}
    alike = (
        told["state"] == "finished"
        and told["stack"] == plan.spec.stack
        and told["spec"]["method"]["name"] == plan.spec.method.name
        and {"processor": there.get("processor"), "gpus": [g["name"] for g in there.get("gpus", ())]} == here
    )
    if not alike or not told["model"].get("parameters") or not told["attempts"]:
        return None
    last = told["attempts"][-1]
    rows = (last.to_step - last.from_step) * told["spec"]["training"]["batch_size"]
    tokens = rows * told["data"]["train_tokens"] / max(1, told["data"]["train_rows"])
    work = tokens * told["model"]["parameters"]
    return last.seconds / work if work and last.seconds else None


def describe_disk(plan: Plan) -> str:
    """Adapter and checkpoints (weights in float32, and AdamW's two moments), and the tokens."""
    if plan.shape is None:
        return "disk: not known"
    trained = memory.count_trainable_parameters(plan.shape, plan.spec)
    adapter, checkpoint = 4 * trained, 12 * trained
    total = adapter + plan.spec.logging.keep_checkpoints * checkpoint + record.count_bytes(plan.data.folder)
    sizes = f"{trained:,} trained parameters; {adapter / 2**20:,.0f} MiB of adapter"
    return f"disk: about {total / 2**20:,.0f} MiB ({sizes})"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
