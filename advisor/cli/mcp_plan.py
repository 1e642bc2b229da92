"""A planned run, in short, for an agent."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class RunPlan:
    """What a run would do and cost.

    Attributes:
        stack, method: the library that trains, and the method.
        why: why this library; empty if the caller chose it.
        rows, longest_tokens: of the training data.
        peak_bytes, room_bytes: predicted peak of the memory, and what the machine has; None: unknown.
        fits: whether the peak is safely below the room; None: unknown.
        costs: memory by part, time and disk space, in sentences.
        problems: findings about the data; one that begins with "error" stops the run.
        deviations: fields that the library cannot follow exactly.
        command: the command that a person runs; nothing was started.
    """

    stack: str
    method: str
    why: str
    rows: int
    longest_tokens: int
    peak_bytes: int | None
    room_bytes: int | None
    fits: bool | None
    costs: tuple[str, ...]
    problems: tuple[str, ...]
    deviations: tuple[str, ...]
    command: str


def plan_short(data: str, model: str, stack: str | None, preset: str | None, method: str | None) -> RunPlan:
    """Plan a run on this machine, and start nothing.

    Raises:
        InputError: a file, the model or an option cannot be used.
    """
    from advisor.cli.run_options import RunOptions, compose_run
    from advisor.errors import InputError
    from finetune import run, train_extra
    from finetune.callbacks import RunCallbacks
    from finetune.machine import memory
    from finetune.plan import cost

    if not train_extra.is_installed():
        raise InputError('plan_run needs the extra "train" of advisor')
    fields = [f"method.name={method}"] if method else None
    request = compose_run(RunOptions(data, model, None, stack, preset, None, fields), RunCallbacks())
    plan = run.plan_run(request.composed_spec)
    devices = plan.spec.devices
    room = plan.machine.usable_bytes(devices.kind, devices.processes)
    peak = plan.prediction.total if plan.prediction else None
    options = {"--data": data, "--model": model, "--stack": plan.spec.stack, "--preset": preset}
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    return RunPlan(
        stack=plan.spec.stack,
        method=plan.spec.method.name or "",
        why=f"{request.recommendation['choice']}: {request.recommendation['certainty']}, as of "
        f"{request.recommendation['as_of']}"
        if request.recommendation
        else "",
        rows=plan.data.rows,
        longest_tokens=int(plan.data.summary["longest"]),
        peak_bytes=peak,
        room_bytes=room,
        fits=None if peak is None else peak <= memory.SAFE_SHARE * room,
        costs=tuple(cost.describe_costs(plan))[:20],
        problems=tuple(f"{f.severity}: {f.what} {f.remedy}"[:300] for f in plan.findings[:10]),
        deviations=tuple(d[:200] for d in plan.native_config.deviations[:5]),
        command=shlex.join(["advisor", "train", *words, *(["--set", fields[0]] if fields else [])]),
    )
