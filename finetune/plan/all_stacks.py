"""The same task in every library: native config, command, what cannot be said. Nothing is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finetune.errors import UnsupportedField
from finetune.run import Plan, build_job
from finetune.stacks import STACKS, NativeConfig, load_stack


@dataclass(frozen=True)
class StackTask:
    """One library's way to say the task.

    Attributes:
        stack: its name.
        rendered: native config and deviations; None where it refuses.
        command: that trains.
        refused: field and reason, where it refuses.
    """

    stack: str
    rendered: NativeConfig | None = None
    command: tuple[str, ...] = ()
    refused: str = ""

    @property
    def lines(self) -> int:
        """Length of the native config."""
        return sum(text.count("\n") for text in self.rendered.files.values()) if self.rendered else 0


def task_title(plan: Plan) -> str:
    """What the planned run does, in one line."""
    spec, rows = plan.spec, plan.data.rows
    where = f"{spec.world_size} x {spec.devices.kind}" if spec.world_size > 1 else str(spec.devices.kind)
    return (
        f"{spec.method.name} of {Path(spec.model.base).name} on {rows:,} rows of "
        f"{Path(spec.data.train).name}, "
        f"{spec.count_steps(rows):,} steps of {spec.training.batch_size} rows, {spec.training.dtype} on {where}"
    )


def render_for_stacks(plan: Plan) -> tuple[StackTask, ...]:
    """The planned task in all libraries."""
    found = []
    for name in STACKS:
        spec = plan.spec.model_copy(update={"stack": name})
        job = build_job(spec, plan.data, Path("RUN"), None)
        try:
            rendered = load_stack(name).render(spec, job)
        except UnsupportedField as error:
            found.append(StackTask(name, refused=str(error)))
            continue
        words = load_stack(name).command(Path("python"), spec, job)
        shown = tuple(Path(w).name if w.endswith(".py") else w for w in words)
        found.append(StackTask(name, rendered, shown))
    return tuple(found)
