"""A run from spec to adapter; each stage is on disk before the next one starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from advisor.files import cache_home
from finetune.after import card
from finetune.data import checks, dataset
from finetune.data.findings import Finding
from finetune.data.template import load_tokenizer, set_template
from finetune.errors import DataError, RunError, TrainingError, TrainingInterruption
from finetune.machine import hardware, memory
from finetune.process import environment, gpu_check, launch, torchrun
from finetune.record import (
    Attempt,
    Record,
    create_run_folder,
    read_record,
    update_record,
    utc_now,
    write_record,
    write_text,
)
from finetune.spec import ComposedSpec, RunSpec, resolve_spec, to_toml
from finetune.stacks import Job, NativeConfig, Stack, load_stack
from finetune.stacks.shared.defaults import render_with_fallbacks
from finetune.weights import base


@dataclass(frozen=True)
class RunCallbacks:
    """Functions that a run calls; each one is optional.

    Attributes:
        on_stage: gets the name of each stage.
        on_rows: gets the number of tokenised rows.
        on_event: gets each event of the training process.
        on_stop: called after Ctrl-C, while the training process writes its checkpoint.
    """

    on_stage: Callable[[str], None] = lambda _: None
    on_rows: Callable[[int], None] = lambda _: None
    on_event: Callable[[dict[str, Any]], None] = lambda _: None
    on_stop: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Plan:
    """A run before it starts: spec, tokens, findings, native config, memory.

    ``proposed_spec`` is the spec for any stack; ``composed_spec`` has what this stack supports.
    """

    proposed_spec: ComposedSpec
    composed_spec: ComposedSpec
    data: dataset.Dataset
    tokenizer: Any
    shape: base.Shape | None
    findings: tuple[Finding, ...]
    native_config: NativeConfig
    prediction: memory.Prediction | None
    machine: hardware.Machine

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.composed_spec.spec


def plan_run(composed_spec: ComposedSpec, callbacks: RunCallbacks = RunCallbacks()) -> Plan:
    """Tokenise, check the data, render the native config and predict the memory.

    Raises:
        InputError: the spec, the data or the model cannot be used.
    """
    machine = hardware.detect_machine()
    has_bfloat16 = machine.has_bfloat16(composed_spec.spec.devices.processes)
    composed_spec = resolve_spec(composed_spec, gpus=len(machine.gpus), bfloat16=has_bfloat16)
    spec = composed_spec.spec
    if idle_note := hardware.describe_unused_gpus(machine, spec.devices.kind, spec.devices.processes):
        callbacks.on_stage(idle_note)
    stack = load_stack(spec.stack)
    callbacks.on_stage("tokenise")
    model = spec.model
    model_config = base.read_model_config(
        model.base, model.revision, trust_remote_code=model.trust_remote_code
    )
    tokenizer = load_run_tokenizer(spec)
    data = dataset.prepare_dataset(spec, tokenizer, cache_home() / "tokens", progress=callbacks.on_rows)
    callbacks.on_stage("check the data")
    findings = checks.check_data(spec, data, tokenizer, model_config)
    shape = base.read_shape(model_config)
    proposed_spec = composed_spec
    composed_spec, native_config = render_with_fallbacks(
        stack, proposed_spec, lambda candidate: build_job(candidate.spec, data, Path("RUN"), None)
    )
    spec = composed_spec.spec
    prediction = (
        memory.predict_memory(shape, spec, data.summary["longest"], memory.count_file_bytes(model.base))
        if shape
        else None
    )
    return Plan(
        proposed_spec, composed_spec, data, tokenizer, shape, findings, native_config, prediction, machine
    )


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
    local = Path(spec.model.base).expanduser()
    return Job(
        folder=folder,
        data=folder / "data",
        base=str(local.resolve()) if local.is_dir() else spec.model.base,
        template=folder / "native" / "chat_template.jinja" if spec.data.template != "auto" else None,
        steps=spec.count_steps(data.rows),
        warmup_steps=spec.count_warmup_steps(data.rows),
        rows=data.rows,
        test_rows=int(data.summary["test_rows"]),
        resume_from=resume_from,
    )


def _build_local_job(spec: RunSpec, data: dataset.Dataset, folder: Path, resume_from: Path | None) -> Job:
    """Return the job with a local base model, so that training needs no network."""
    model_folder = base.fetch_model(spec.model.base, spec.model.revision)
    return replace(build_job(spec, data, folder.resolve(), resume_from), base=str(model_folder))


def start_run(
    composed_spec: ComposedSpec,
    *,
    recommendation: Mapping[str, Any] | None = None,
    callbacks: RunCallbacks = RunCallbacks(),
) -> Path:
    """Plan and run; return the run's folder.

    Raises:
        DataError: the checks found an error in the data (warnings do not stop a run).
        AdvisorError: see `plan_run` and `launch.run_process`.
    """
    spec = composed_spec.spec
    torchrun.check_nodes(spec)
    if spec.devices.nodes > 1 and torchrun.node_rank():
        return _join_run(Path(str(spec.output)).expanduser(), callbacks)
    folder = create_run_folder(spec.output, spec.model.base)
    record = write_record(
        folder,
        Record(
            id=folder.name,
            state="running",
            started=utc_now(),
            pids={"wrapper": os.getpid()},
            spec=spec.model_dump(mode="json"),
            origins=dict(composed_spec.origins),
            stack=spec.stack,
            recommendation=dict(recommendation or {}),
        ),
    )
    with _record_failure(folder):
        _run_plan(folder, record, composed_spec, callbacks)
    return folder


def _run_plan(folder: Path, record: Record, composed_spec: ComposedSpec, callbacks: RunCallbacks) -> None:
    start = time.monotonic()
    plan = plan_run(composed_spec, callbacks)
    _record_plan(folder, record, plan, time.monotonic() - start)
    refuse_data_errors(plan.findings)
    _run_stages(folder, plan.spec, callbacks)


def resume_run(folder: Path, callbacks: RunCallbacks = RunCallbacks()) -> Path:
    """Resume a stopped, failed or crashed run from its last complete checkpoint.

    A run that failed before its training (a broken row, a wrong template) is planned again with the
    corrected files.

    Raises:
        RunError: the run is running or finished.
    """
    if torchrun.node_rank():
        return _join_run(folder, callbacks)
    record = read_record(folder)
    if record.current_state in ("running", "finished"):
        raise RunError(f"{folder} is {record.current_state}: there is nothing to resume")
    spec = RunSpec.model_validate(record.spec)
    record = update_record(
        folder, record, state="running", pids={"wrapper": os.getpid()}, ended=None, outcome=""
    )
    with _record_failure(folder):
        if record.attempts:
            _run_stages(folder, spec, callbacks)
        else:
            _run_plan(folder, record, ComposedSpec(spec, record.origins), callbacks)
    return folder


def _join_run(folder: Path, callbacks: RunCallbacks) -> Path:
    """Run the training processes of another machine than the first one."""
    callbacks.on_stage(f"machine {torchrun.node_rank()} waits for machine 0")
    torchrun.wait_for_first_node(folder)
    spec = RunSpec.model_validate(read_record(folder).spec)
    stack = load_stack(spec.stack)
    env = environment.ensure_environment(stack.lock, stack.required_packages, callbacks.on_stage)
    if spec.devices.kind == "cuda":
        _check_gpus(folder, spec, stack, env, callbacks)
    data = dataset.open_dataset(folder / "data")
    job = _build_local_job(spec, data, folder, launch.find_last_checkpoint(folder / "work"))
    callbacks.on_stage("train")
    torchrun.run_worker_node(stack.command(env.python, spec, job), folder, stack.environment(spec))
    return folder


def refuse_data_errors(findings: tuple[Finding, ...]) -> None:
    """Stop if a finding is an error.

    Raises:
        DataError: at least one finding is an error; the message lists all of them.
    """
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        sentences = "; ".join(f"{f.what} ({f.where}): {f.remedy}" for f in errors)
        raise DataError(f"the data have errors: {sentences}")


@contextmanager
def _record_failure(folder: Path) -> Iterator[None]:
    """Write the state and the error into the record if the block fails."""
    try:
        yield
    except BaseException as error:
        state = "interrupted" if isinstance(error, TrainingInterruption | KeyboardInterrupt) else "failed"
        try:
            outcome = str(error) or type(error).__name__
            update_record(folder, read_record(folder), state=state, ended=utc_now(), outcome=outcome, pids={})
        except Exception as second_error:  # noqa: BLE001 - a full disk must not hide the first error
            print(f"advisor: cannot update the record: {second_error}", file=sys.stderr)
        raise


def _record_plan(folder: Path, record: Record, plan: Plan, seconds: float) -> Record:
    spec = plan.spec
    _link(plan.data.folder, folder / "data")
    write_text(folder / "spec.toml", to_toml(spec))
    return update_record(
        folder,
        record,
        spec=spec.model_dump(mode="json"),
        origins=dict(plan.composed_spec.origins),
        data=dict(plan.data.summary),
        model={
            "base": spec.model.base,
            "fingerprint": base.fingerprint_model(spec.model.base, spec.model.revision),
            **({"parameters": plan.shape.parameters} if plan.shape else {}),
        },
        findings=tuple(asdict(f) for f in plan.findings),
        deviations=plan.native_config.deviations,
        environment={"machine": asdict(plan.machine)},
        timings_seconds={"prepare": round(seconds, 2)},
        memory_bytes={"predicted": plan.prediction.as_dict()} if plan.prediction else {},
    )


def _link(source: Path, target: Path) -> None:
    """Hard-link the files into the run, or copy them if hard links fail."""
    shutil.rmtree(target, ignore_errors=True)  # left by an earlier plan that failed
    target.mkdir()
    for file in source.iterdir():
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copy2(file, target / file.name)


def _run_stages(folder: Path, spec: RunSpec, callbacks: RunCallbacks) -> None:
    stack = load_stack(spec.stack)
    if not _has_adapter(folder):
        _train(folder, spec, stack, callbacks)
    record = read_record(folder)
    data = dataset.open_dataset(folder / "data")
    if spec.evaluation.rows and data.summary["test_rows"]:
        callbacks.on_stage("evaluate")
        record = _evaluate(folder, record)
    record = update_record(
        folder, record, state="finished", ended=utc_now(), pids={}, outcome=_describe_outcome(record)
    )
    card.write_card(folder, record)


def _has_adapter(folder: Path) -> bool:
    """Return whether the last attempt left an adapter that passed the stack's checks."""
    attempts = read_record(folder).attempts
    return bool(attempts) and attempts[-1].outcome == "trained" and (folder / "adapter").is_dir()


def _train(folder: Path, spec: RunSpec, stack: Stack, callbacks: RunCallbacks) -> None:
    callbacks.on_stage("prepare the environment")
    env = environment.ensure_environment(stack.lock, stack.required_packages, callbacks.on_stage)
    if spec.devices.kind == "cuda":
        _check_gpus(folder, spec, stack, env, callbacks)
    data = dataset.open_dataset(folder / "data")
    checkpoint = launch.find_last_checkpoint(folder / "work")
    job = _build_local_job(spec, data, folder, checkpoint)
    native_config = stack.render(spec, job)
    job.native.mkdir(exist_ok=True)
    job.work.mkdir(exist_ok=True)
    for name, text in native_config.files.items():
        write_text(job.native / name, text)
    if job.template is not None:
        write_text(job.template, str(load_run_tokenizer(spec).chat_template))
    record = read_record(folder)
    from_step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    earlier = tuple(replace(a, outcome="lost") if a.outcome == "running" else a for a in record.attempts)
    attempt = Attempt(started=utc_now(), from_step=from_step)
    record = update_record(
        folder,
        record,
        attempts=(*earlier, attempt),
        environment={**record.environment, **environment.to_record(env, environment.read_pins(stack.lock))},
    )
    steps: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            steps.append(event)
        callbacks.on_event(event)

    def on_start(pid: int) -> None:
        update_record(folder, record, pids={"wrapper": os.getpid(), "trainer": pid})

    callbacks.on_stage("train")
    try:
        result = launch.read_finished_training(folder, on_event)
        if result is None:
            (folder / torchrun.READY_FILE).touch()
            result = launch.run_process(
                stack.command(env.python, spec, job),
                folder,
                stack.environment(spec),
                on_event=on_event,
                on_start=on_start,
                on_stopping=callbacks.on_stop,
            )
        if result.was_terminated:
            callbacks.on_stage("training is complete; advisor terminated its process, which did not exit")
        stack.export_adapter(spec, job)
    except (TrainingError, TrainingInterruption) as error:
        outcome = "interrupted" if isinstance(error, TrainingInterruption) else "failed"
        _finish_attempt(folder, attempt, steps, outcome, 0.0)
        raise
    finally:
        (folder / torchrun.READY_FILE).unlink(missing_ok=True)
    record = _finish_attempt(folder, attempt, steps, "trained", result.seconds)
    device = "gpu" if spec.devices.kind == "cuda" else "rss"
    update_record(
        folder,
        record,
        timings_seconds={
            **record.timings_seconds,
            "train": round(result.seconds, 2),
            "stack": result.last_event["seconds"],
        },
        memory_bytes={
            **record.memory_bytes,
            "measured_peak": result.last_event[f"peak_{device}_bytes"],
            "device": device,
        },
    )


def _check_gpus(
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


def _evaluate(folder: Path, record: Record) -> Record:
    process = subprocess.run(
        [sys.executable, "-m", "finetune.after.evaluate", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    with (folder / "log.txt").open("a") as log:
        log.write(process.stdout + process.stderr)
    if process.returncode:
        last_line = (process.stderr.strip().splitlines() or ["no output"])[-1]
        raise TrainingError(
            f"the adapter in {folder / 'adapter'} is complete, but its evaluation failed with exit code "
            f"{process.returncode}: {last_line}. `advisor train --resume {folder}` evaluates it again"
        )
    evaluation = json.loads((folder / "evaluation.json").read_text("utf-8"))
    losses = {"held_out": evaluation["losses"], "held_out_tokens": evaluation["tokens"]}
    if evaluation.get("not_judged"):
        losses["not_judged"] = evaluation["not_judged"]
    return update_record(
        folder,
        record,
        losses={**record.losses, **losses},
        timings_seconds={**record.timings_seconds, "evaluate": evaluation["seconds"]},
    )


def _describe_outcome(record: Record) -> str:
    losses = record.losses.get("held_out")
    if not losses:
        return "trained; not evaluated (no held-out rows)"
    suffix = "_quantised" if "base_quantised" in losses else ""
    before, after = losses["base" + suffix], losses["adapter" + suffix]
    text = f"held-out loss {before:.4f} → {after:.4f} on {record.losses['held_out_tokens']} tokens"
    reasons = record.losses.get("not_judged", {}).values()
    return "; not judged: ".join([text, *reasons])
