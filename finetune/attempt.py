"""One attempt to train: the stack's process in its environment, and what it leaves in the record."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.files import expand_home
from finetune import isolation
from finetune.callbacks import RunCallbacks
from finetune.data import dataset
from finetune.data.template import load_tokenizer, set_template
from finetune.errors import StackEnvironmentError, TrainingError, TrainingInterruption
from finetune.machine import gpu_check, hardware
from finetune.process import environment, launch, reporting, torchrun, version_lock
from finetune.record import Attempt, Record, read_record, update_record, utc_now, write_text
from finetune.spec import RunSpec, iterate_leaves
from finetune.stacks import Job, Stack
from finetune.weights import base

# Field and a value of it that needs a package outside the lock files → the package, and another value.
_OPTIONAL_PACKAGES = {
    ("training.attention", "flash"): ("flash-attn", '"sdpa"'),
    ("training.liger_kernels", True): ("liger-kernel", "false"),
    ("logging.report_to", "trackio"): ("trackio", '"none"'),
    ("logging.report_to", "wandb"): ("wandb", '"none"'),
}


def load_run_tokenizer(spec: RunSpec) -> Any:
    """Return the base model's tokenizer with the chat template of the run.

    Raises:
        InputError: the model has no tokenizer, or the template cannot be used.
    """
    tokenizer = load_tokenizer(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    return set_template(tokenizer, spec.data.template)


def build_job(spec: RunSpec, data: dataset.Dataset, folder: Path, resume_from: Path | None) -> Job:
    """Return the input of a stack for this run."""
    local = expand_home(spec.model.base)
    sequences = dataset.count_sequences(data, spec)
    return Job(
        folder=folder,
        data=folder / "data",
        base=str(local.resolve()) if local.is_dir() else spec.model.base,
        template=folder / "native" / "chat_template.jinja" if spec.data.template != "auto" else None,
        steps=spec.count_steps(sequences),
        warmup_steps=spec.count_warmup_steps(sequences),
        rows=sequences,
        test_rows=int(data.summary["test_rows"]),
        resume_from=resume_from,
    )


def build_local_job(spec: RunSpec, data: dataset.Dataset, folder: Path, resume_from: Path | None) -> Job:
    """Return the job with a local base model, so that training needs no network."""
    model_folder = base.fetch_model(spec.model.base, spec.model.revision)
    return replace(build_job(spec, data, folder.resolve(), resume_from), base=str(model_folder))


def train(folder: Path, spec: RunSpec, stack: Stack, callbacks: RunCallbacks) -> None:
    """Train once, from the last complete checkpoint if there is one, and check the adapter.

    Raises:
        StackEnvironmentError: the environment cannot be built, or does not see the GPUs.
        TrainingError: training failed, or its adapter is wrong.
        TrainingInterruption: the user stopped it.
    """
    callbacks.on_stage("prepare the environment")
    env = version_lock.ensure_environment(folder, stack.lock, stack.required_packages, callbacks.on_stage)
    check_packages(spec, env)
    if spec.devices.kind == "cuda":
        check_gpus(folder, spec, stack, env, callbacks)
    data = dataset.open_dataset(folder / "data")
    job = build_local_job(spec, data, folder, launch.find_last_checkpoint(folder / "work"))
    _write_native_config(spec, stack, job)
    attempt = _start_attempt(folder, spec, stack, env, job)
    steps: list[dict[str, Any]] = []
    if load := hardware.describe_load():
        callbacks.on_stage(load)
    callbacks.on_stage("train")
    began = time.monotonic()
    try:
        result = _follow_process(folder, stack.command(env.python, spec, job), spec, stack, callbacks, steps)
        check_work(result.last_event)
        stack.export_adapter(spec, job)
    except (TrainingError, TrainingInterruption) as error:
        outcome = "interrupted" if isinstance(error, TrainingInterruption) else "failed"
        _finish_attempt(folder, attempt, steps, outcome, time.monotonic() - began)
        raise
    record = _finish_attempt(folder, attempt, steps, "trained", result.seconds)
    device = "gpu" if spec.devices.kind == "cuda" else "rss"
    seconds = {"train": round(result.seconds, 2), "stack": result.last_event["seconds"]}
    peak = {"measured_peak": result.last_event[f"peak_{device}_bytes"], "device": device}
    update_record(
        folder,
        record,
        timings_seconds={**record.timings_seconds, **seconds},
        memory_bytes={**record.memory_bytes, **peak},
    )


def check_work(event: Mapping[str, Any]) -> None:
    """Check that the stack trained on the tokens of the run's rows, as often as the run says.

    Args:
        event: the last event of the training process.

    Raises:
        TrainingError: it counted other tokens, or other tokens that contribute to the loss.
    """
    for name in ("tokens", "trained"):
        count, plan = event.get(name), event.get(f"planned_{name}")
        if plan is not None and count != plan:
            raise TrainingError(
                f"the stack did other work than this run says: it counted {count} {name} where the rows have "
                f"{plan}, so advisor does not use its adapter. Report this as a bug, or use another --stack"
            )


def _write_native_config(spec: RunSpec, stack: Stack, job: Job) -> None:
    job.native.mkdir(exist_ok=True)
    job.work.mkdir(exist_ok=True)
    for name, text in stack.render(spec, job).files.items():
        write_text(job.native / name, text)
    if job.template is not None:
        write_text(job.template, str(load_run_tokenizer(spec).chat_template))


def _start_attempt(
    folder: Path, spec: RunSpec, stack: Stack, env: environment.Environment, job: Job
) -> Attempt:
    """Write a new attempt into the record; an earlier one that never ended is lost."""
    record = read_record(folder)
    from_step = int(job.resume_from.name.rpartition("-")[2]) if job.resume_from else 0
    earlier = tuple(replace(a, outcome="lost") if a.outcome == "running" else a for a in record.attempts)
    attempt = Attempt(started=utc_now(), from_step=from_step)
    packages = environment.to_record(env, environment.read_pins(version_lock.find_lock(folder, stack.lock)))
    network = "open: several machines" if spec.devices.nodes > 1 else isolation.describe_network()
    update_record(
        folder,
        record,
        attempts=(*earlier, attempt),
        environment={**record.environment, **packages, "network": network},
    )
    return attempt


def _follow_process(
    folder: Path,
    command: list[str],
    spec: RunSpec,
    stack: Stack,
    callbacks: RunCallbacks,
    steps: list[dict[str, Any]],
) -> launch.ProcessResult:
    """Run the command to its end, unless an earlier attempt did; add each step event to ``steps``."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            steps.append(event)
        callbacks.on_event(event)

    def on_start(pid: int) -> None:
        update_record(folder, read_record(folder), pids={"wrapper": os.getpid(), "trainer": pid})

    result = launch.read_finished_training(folder, on_event)
    if result is None:
        (folder / torchrun.READY_FILE).touch()
        try:
            result = launch.run_process(
                command,
                folder,
                {**stack.environment(spec), **reporting.build_variables(folder, spec)},
                needs_network=spec.devices.nodes > 1,
                on_event=on_event,
                on_start=on_start,
                on_stopping=callbacks.on_stop,
            )
        finally:
            (folder / torchrun.READY_FILE).unlink(missing_ok=True)
    if result.was_terminated:
        callbacks.on_stage("training is complete; advisor terminated its process, which did not exit")
    return result


def check_packages(spec: RunSpec, env: environment.Environment) -> None:
    """Check that the environment has the packages that only some values of the spec need.

    Raises:
        StackEnvironmentError: one is missing; the message says what to install or to change.
    """
    fields = dict(iterate_leaves(spec.model_dump()))
    for (field, value), (package, other) in _OPTIONAL_PACKAGES.items():
        if fields[field] == value and package not in env.packages:
            raise StackEnvironmentError(
                f"{field} = {json.dumps(value)} needs the package {package}, which the environment of "
                f"{spec.stack} does not have: run `uv pip install --python {env.python} {package}`, or use "
                f"{other}"
            )


def check_gpus(
    folder: Path, spec: RunSpec, stack: Stack, env: environment.Environment, callbacks: RunCallbacks
) -> None:
    """Check that the environment's own torch sees the GPUs; say if one has less free memory than predicted.

    Raises:
        StackEnvironmentError: it does not; the message says what to install.
    """
    processes = spec.devices.processes
    support = gpu_check.check_gpus(env.python, env.home, stack.name, stack.environment(spec), processes)
    peak = read_record(folder).memory_bytes.get("predicted", {}).get("total", 0)
    for name, _, free in support.gpus[:processes]:
        if free < peak:
            callbacks.on_stage(
                f"{name} has {free / 2**30:.1f} GiB free, but the run needs about {peak / 2**30:.1f} GiB"
            )


def _finish_attempt(
    folder: Path, attempt: Attempt, steps: list[dict[str, Any]], outcome: str, seconds: float
) -> Record:
    record = read_record(folder)
    last_step = int(steps[-1]["step"]) if steps else attempt.from_step
    attempt = replace(attempt, to_step=last_step, outcome=outcome, seconds=round(seconds, 2))
    losses = dict(record.losses)
    step_losses = [s["loss"] for s in steps if s["loss"] is not None]
    if step_losses:
        losses.setdefault("first_step", step_losses[0])
        losses |= {
            "last_step": step_losses[-1],
            "lowest_step": min([*step_losses, losses.get("lowest_step", step_losses[0])]),
        }
    return update_record(folder, record, attempts=(*record.attempts[:-1], attempt), losses=losses)
