"""A run from spec to adapter; each stage is on disk before the next one starts."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from advisor.files import cache_home, expand_home
from finetune import attempt, isolation
from finetune.after import card, metrics
from finetune.callbacks import RunCallbacks
from finetune.data import checks, dataset
from finetune.data.findings import Finding
from finetune.errors import (
    DataError,
    RunError,
    TrainingError,
    TrainingInterruption,
    explain_os_error,
)
from finetune.machine import cuda_variables, hardware, memory
from finetune.process import launch, torchrun, version_lock
from finetune.record import (
    Record,
    create_run_folder,
    read_record,
    read_spec,
    sweep_litter,
    update_record,
    utc_now,
    write_record,
    write_text,
)
from finetune.spec import ComposedSpec, RunSpec, resolve_spec, to_toml
from finetune.stacks import NativeConfig, load_stack
from finetune.stacks.shared.defaults import render_with_fallbacks
from finetune.stacks.shared.unused_fields import replace_unused_fields
from finetune.weights import base


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
    replace_unused_fields(composed_spec)  # refuses before the rows are tokenised
    spec = composed_spec.spec
    if idle_note := hardware.describe_unused_gpus(machine, spec.devices.kind, spec.devices.processes):
        callbacks.on_stage(idle_note)
    if emulation_note := hardware.describe_emulation(
        machine, spec.devices.kind, spec.training.dtype, spec.devices.processes
    ):
        callbacks.on_stage(emulation_note)
    stack = load_stack(spec.stack)
    metrics.check_metrics(spec.evaluation.metrics)
    callbacks.on_stage("tokenise")
    model = spec.model
    model_config = base.read_model_config(
        model.base, model.revision, trust_remote_code=model.trust_remote_code
    )
    tokenizer = attempt.load_run_tokenizer(spec)
    data = dataset.prepare_dataset(spec, tokenizer, cache_home() / "tokens", progress=callbacks.on_rows)
    findings = checks.check_data(spec, data, tokenizer, model_config, callbacks)
    shape = base.read_shape(model_config)
    proposed_spec = composed_spec
    composed_spec, native_config = render_with_fallbacks(
        stack, proposed_spec, lambda candidate: attempt.build_job(candidate.spec, data, Path("RUN"), None)
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


def start_run(
    composed_spec: ComposedSpec,
    *,
    recommendation: Mapping[str, Any] | None = None,
    callbacks: RunCallbacks = RunCallbacks(),
    parent: str = "",
    note: str = "",
    tags: tuple[str, ...] = (),
    version: str = "",
) -> Path:
    """Plan and run; return the run's folder.

    Args:
        composed_spec: the spec of the run.
        recommendation: why this stack trains; None if the user chose it.
        callbacks: called with stages and events.
        parent: id of the run that this one varies.
        note: words of the user, for the record.
        tags: short words of the user, to find the run.
        version: another released version of the stack; empty: the tested one.

    Raises:
        DataError: the checks found an error in the data (warnings do not stop a run).
        AdvisorError: see `plan_run` and `launch.run_process`.
    """
    spec = composed_spec.spec
    torchrun.check_nodes(spec)
    if spec.devices.nodes > 1 and torchrun.node_rank():
        return _join_run(expand_home(str(spec.output)), callbacks)
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
            parent=parent,
            note=note,
            tags=tags,
        ),
    )
    with _record_failure(folder):
        if version:
            version_lock.write_version(folder, version)
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
    spec = read_spec(folder, record)
    sweep_litter(folder)
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
    spec = read_spec(folder, read_record(folder))
    stack = load_stack(spec.stack)
    env = version_lock.ensure_environment(folder, stack.lock, stack.required_packages, callbacks.on_stage)
    attempt.check_packages(spec, env)
    if spec.devices.kind == "cuda":
        attempt.check_gpus(folder, spec, stack, env, callbacks)
    data = dataset.open_dataset(folder / "data")
    job = attempt.build_local_job(spec, data, folder, launch.find_last_checkpoint(folder / "work"))
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
        explained_error = explain_os_error(error, folder) if isinstance(error, OSError) else error
        state = "interrupted" if isinstance(error, TrainingInterruption | KeyboardInterrupt) else "failed"
        try:
            outcome = str(explained_error) or type(error).__name__
            update_record(folder, read_record(folder), state=state, ended=utc_now(), outcome=outcome, pids={})
        except Exception as second_error:  # noqa: BLE001 - a full disk must not hide the first error
            print(f"advisor: cannot update the record: {second_error}", file=sys.stderr)
        if explained_error is not error:
            raise explained_error from None
        raise


def _record_plan(folder: Path, record: Record, plan: Plan, seconds: float) -> Record:
    spec = plan.spec
    dataset.link_dataset(plan.data, folder / "data")
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


def _run_stages(folder: Path, spec: RunSpec, callbacks: RunCallbacks) -> None:
    stack = load_stack(spec.stack)
    if not _has_adapter(folder):
        attempt.train(folder, spec, stack, callbacks)
    record = read_record(folder)
    data = dataset.open_dataset(folder / "data")
    if spec.evaluation.rows and data.summary["test_rows"]:
        try:
            callbacks.on_stage("evaluate")
            record = _evaluate(folder, record, callbacks)
        except KeyboardInterrupt:
            advice = f"the adapter is complete, and `{_resume_command(folder)}` evaluates it"
            raise TrainingInterruption(f"stopped in the evaluation; {advice}") from None
    record = update_record(
        folder, record, state="finished", ended=utc_now(), pids={}, outcome=_describe_outcome(record)
    )
    card.write_card(folder, record)


def _has_adapter(folder: Path) -> bool:
    """Return whether the last attempt left an adapter that passed the stack's checks."""
    attempts = read_record(folder).attempts
    return bool(attempts) and attempts[-1].outcome == "trained" and (folder / "adapter").is_dir()


def _evaluate(folder: Path, record: Record, callbacks: RunCallbacks) -> Record:
    model = record.spec["model"]
    base.fetch_model(model["base"], model["revision"])
    on_gpu = record.spec["devices"]["kind"] == "cuda"
    variables = cuda_variables.build_variables(1) if on_gpu else {}
    command = [sys.executable, "-m", "finetune.after.evaluate", str(folder)]
    process = isolation.run_program(command, {**isolation.OFFLINE, **variables}, callbacks.on_progress)
    with (folder / "log.txt").open("a") as log:
        log.write(process.stdout + process.stderr)
    if process.returncode:
        last_line = (process.stderr.strip().splitlines() or ["no output"])[-1]
        raise TrainingError(
            f"the adapter in {folder / 'adapter'} is complete, but its evaluation failed with exit code "
            f"{process.returncode}: {last_line}. `{_resume_command(folder)}` evaluates it again"
        )
    evaluation = json.loads((folder / "evaluation.json").read_text("utf-8"))
    losses = {"held_out": evaluation["losses"], "held_out_tokens": evaluation["tokens"]}
    if evaluation.get("preferences"):
        losses |= {"preferences": evaluation["preferences"], "held_out_rows": evaluation["rows"]}
    if evaluation.get("not_judged"):
        losses["not_judged"] = evaluation["not_judged"]
    return update_record(
        folder,
        record,
        losses={**record.losses, **losses},
        task=evaluation.get("task", {}),
        timings_seconds={**record.timings_seconds, "evaluate": evaluation["seconds"]},
    )


def _resume_command(folder: Path) -> str:
    return f"advisor train --resume {shlex.quote(str(folder))}"


def _describe_outcome(record: Record) -> str:
    losses = record.losses.get("held_out")
    reasons = record.losses.get("not_judged", {}).values()
    if not losses:
        return f"trained; not evaluated ({'; '.join(reasons) or 'no held-out rows'})"
    suffix = "_quantised" if "base_quantised" in losses else ""
    pair = [losses[name + suffix] for name in ("base", "adapter") if name + suffix in losses]
    numbers = " → ".join(f"{loss:.4f}" for loss in pair)
    text = f"held-out loss {numbers}{_describe_preferences(record, suffix)}"
    return "; not judged: ".join([text, *reasons])


def _describe_preferences(record: Record, suffix: str) -> str:
    """Return what the held-out loss was measured on, with accuracy and margin of preferences."""
    figures = record.losses.get("preferences", {}).get(f"adapter{suffix}", {})
    if "accuracy" not in figures:
        return f" on {record.losses['held_out_tokens']} tokens"
    numbers = f", reward accuracy {figures['accuracy']:.0%}, margin {figures['margin']:.3f}"
    return f"{numbers} on {record.losses['held_out_rows']} preferences"
