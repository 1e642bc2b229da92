"""The same task in every stack: native config, command, and what the stack does not support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from finetune.attempt import build_job
from finetune.data import dataset
from finetune.errors import UnsupportedField
from finetune.machine import memory
from finetune.run import Plan
from finetune.spec import RunSpec, override_fields
from finetune.stacks import STACKS, NativeConfig, load_stack
from finetune.stacks.shared.defaults import render_with_fallbacks

if TYPE_CHECKING:
    from finetune.weights.base import Shape


@dataclass(frozen=True)
class StackTask:
    """A task as one stack runs it.

    Attributes:
        stack: the stack's name.
        config: native config and deviations; None if the stack refuses the task.
        command: the command that trains.
        refusal: field and reason, if the stack refuses the task.
        peak_bytes: predicted peak of the memory of a process; 0 if it is unknown or refused.
        room_bytes: memory that a process may use.
        change: fields to set so that the task fits; empty if it fits, or if there are none.
    """

    stack: str
    config: NativeConfig | None = None
    command: tuple[str, ...] = ()
    refusal: str = ""
    peak_bytes: int = 0
    room_bytes: int = 0
    change: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether the task fits into memory, as far as it is known."""
        return self.peak_bytes <= memory.SAFE_SHARE * self.room_bytes

    @property
    def lines(self) -> int:
        """Number of lines of the native config."""
        return sum(text.count("\n") for text in self.config.files.values()) if self.config else 0


def task_title(plan: Plan) -> str:
    """Return one line that says what the planned run does."""
    spec = plan.spec
    steps = spec.count_steps(dataset.count_sequences(plan.data, spec))
    unit = "packed sequences" if spec.data.packing else "rows"
    kind = spec.devices.kind
    name = f"{spec.method.name}{'' if spec.method.objective == 'sft' else f' ({spec.method.objective})'}"
    devices = f"{spec.world_size} x {kind}" if spec.world_size > 1 else str(kind)
    return (
        f"{name} of {Path(spec.model.base).name} on {plan.data.rows:,} rows of "
        f"{Path(spec.data.train).name}, {steps:,} steps of {spec.training.batch_size} {unit}, "
        f"{spec.training.dtype} on {devices}"
    )


def render_for_stacks(plan: Plan) -> tuple[StackTask, ...]:
    """Render the planned task for every stack."""
    tasks = []
    for name in STACKS:
        proposed_spec = override_fields(plan.proposed_spec, "", {"stack": name})
        stack = load_stack(name)
        try:
            composed_spec, config = render_with_fallbacks(
                stack,
                proposed_spec,
                lambda candidate: build_job(candidate.spec, plan.data, Path("RUN"), None),
            )
        except UnsupportedField as error:
            tasks.append(StackTask(name, refusal=str(error)))
            continue
        spec = composed_spec.spec
        words = stack.command(Path("python"), spec, build_job(spec, plan.data, Path("RUN"), None))
        command = tuple(Path(word).name if word.endswith(".py") else word for word in words)
        task = StackTask(name, config, command)
        tasks.append(_predict_task(task, plan, spec) if plan.shape else task)
    return tuple(tasks)


def _predict_task(task: StackTask, plan: Plan, spec: RunSpec) -> StackTask:
    """Return the task with its memory, and what to change if it does not fit."""
    shape, longest = cast("Shape", plan.shape), int(plan.data.summary["longest"])
    files = memory.count_file_bytes(spec.model.base)
    room = plan.machine.usable_bytes(spec.devices.kind, spec.devices.processes)
    peak = memory.predict_memory(shape, spec, longest, files).total
    task = replace(task, peak_bytes=peak, room_bytes=room)
    change = None if task.fits else memory.find_smallest_change(shape, spec, longest, files, room)
    return replace(task, change=change.values if change else {})
