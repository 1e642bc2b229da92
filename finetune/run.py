"""The story of a run, from the spec to the adapter: each stage is written down before the next begins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from advisor.files import cache_home
from finetune import record
from finetune.after import card
from finetune.data import checks, dataset, findings
from finetune.data.template import load_tokenizer, with_template
from finetune.errors import DataError, RunError, TrainingFailed, TrainingInterrupted
from finetune.machine import hardware, memory
from finetune.process import environment, launch, spread
from finetune.record import Attempt, Record
from finetune.spec import Composed, RunSpec, resolve, to_toml
from finetune.stacks import Job, Rendered, Stack, stack
from finetune.weights import base


@dataclass(frozen=True)
class Watch:
    """What the caller wants to hear of; all of it may be left out."""

    stage: Callable[[str], None] = lambda _: None
    rows: Callable[[int], None] = lambda _: None
    event: Callable[[dict[str, Any]], None] = lambda _: None
    stopping: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Plan:
    """All that is known before anything is started."""

    composed: Composed
    data: dataset.Dataset
    tokenizer: Any
    shape: base.Shape | None
    found: tuple[findings.Finding, ...]
    rendered: Rendered
    predicted: memory.Prediction | None
    here: hardware.Machine

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.composed.spec


def plan(asked: Composed, watch: Watch = Watch()) -> Plan:
    """Tokenise, look at the data, render the native config and predict the memory; start nothing.

    Raises:
        InputError: the spec, the data or the model cannot be used.
    """
    here = hardware.look()
    composed = resolve(asked, gpus=len(here.gpus), bfloat16=here.bfloat16)
    spec = composed.spec
    chosen = stack(spec.stack)
    watch.stage("tokenise")
    told = base.config(spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code)
    tokenizer = tokenizer_of(spec)
    data = dataset.prepare(spec, tokenizer, cache_home() / "tokens", progress=watch.rows)
    watch.stage("look at the data")
    found = checks.look(spec, data, tokenizer, told)
    shape = base.shape(told)
    predicted = (
        memory.predict(shape, spec, data.summary["longest"], memory.file_bytes(spec.model.base))
        if shape
        else None
    )
    rendered = chosen.render(spec, job_of(spec, data, Path("RUN"), None))
    return Plan(composed, data, tokenizer, shape, found, rendered, predicted, here)


def tokenizer_of(spec: RunSpec) -> Any:
    """The base model's tokenizer with the template of the run.

    Raises:
        InputError: the model has none, or the template cannot be used.
    """
    loaded = load_tokenizer(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    return with_template(loaded, spec.data.template)


def job_of(spec: RunSpec, data: dataset.Dataset, folder: Path, resume_from: Path | None) -> Job:
    """What the stack is handed."""
    local = Path(spec.model.base).expanduser()
    return Job(
        folder=folder,
        data=folder / "data",
        base=str(local.resolve()) if local.is_dir() else spec.model.base,
        template=folder / "native" / "chat_template.jinja" if spec.data.template != "auto" else None,
        steps=spec.steps(data.rows),
        warmup_steps=spec.warmup_steps(data.rows),
        rows=data.rows,
        test_rows=int(data.summary["test_rows"]),
        resume_from=resume_from,
    )


def _job_here(spec: RunSpec, data: dataset.Dataset, folder: Path, resume_from: Path | None) -> Job:
    """The job with all of its model on this machine: no stack needs the network while it trains."""
    fetched = base.fetch(spec.model.base, spec.model.revision)
    return replace(job_of(spec, data, folder.resolve(), resume_from), base=str(fetched))


def start(
    asked: Composed, *, recommendation: Mapping[str, Any] | None = None, watch: Watch = Watch()
) -> Path:
    """Plan and run; the run's folder.

    Raises:
        DataError: the preview found an error in the data (warnings do not stop a run).
        AdvisorError: see `plan` and `launch.launch`.
    """
    spec = asked.spec
    spread.check(spec)
    if spec.devices.nodes > 1 and spread.rank():
        return _join(Path(str(spec.output)).expanduser(), watch)
    folder = record.new_folder(spec.output, spec.model.base)
    told = record.keep(
        folder,
        Record(
            id=folder.name,
            state="running",
            started=record.now(),
            pids={"wrapper": os.getpid()},
            spec=spec.model_dump(mode="json"),
            origins=dict(asked.origins),
            stack=spec.stack,
            recommendation=dict(recommendation or {}),
        ),
    )
    with _closing(folder):
        _begin(folder, told, asked, watch)
    return folder


def _begin(folder: Path, told: Record, asked: Composed, watch: Watch) -> None:
    began = time.monotonic()
    made = plan(asked, watch)
    _write_down(folder, told, made, time.monotonic() - began)
    refuse(made.found)
    _go(folder, made.spec, watch)


def resume(folder: Path, watch: Watch = Watch()) -> Path:
    """Go on with a run that was stopped, failed or crashed, from its last whole checkpoint.

    A run that never came to train (a broken row, a wrong template) is planned anew, with what was mended.

    Raises:
        RunError: it is running or finished.
    """
    if spread.rank():
        return _join(folder, watch)
    told = record.load(folder)
    if told.standing in ("running", "finished"):
        raise RunError(f"{folder} is {told.standing}; there is nothing to resume")
    spec = RunSpec.model_validate(told.spec)
    told = record.change(folder, told, state="running", pids={"wrapper": os.getpid()}, ended=None, outcome="")
    with _closing(folder):
        if told.attempts:
            _go(folder, spec, watch)
        else:
            _begin(folder, told, Composed(spec, told.origins), watch)
    return folder


def _join(folder: Path, watch: Watch) -> Path:
    """Another machine of a run: lend its processes to what the first one has prepared."""
    watch.stage(f"machine {spread.rank()} waits for the first one")
    spread.wait_for_the_first(folder)
    spec = RunSpec.model_validate(record.load(folder).spec)
    chosen = stack(spec.stack)
    env = environment.ready(chosen.lock, chosen.needed, watch.stage)
    data = dataset.open_dataset(folder / "data")
    job = _job_here(spec, data, folder, launch.last_checkpoint(folder / "work"))
    watch.stage("train")
    spread.lend(chosen.command(env.python, spec, job), folder, chosen.environment(spec))
    return folder


def refuse(found: tuple[findings.Finding, ...]) -> None:
    """Stop where the data have an error.

    Raises:
        DataError: they have.
    """
    errors = [f for f in found if f.severity == "error"]
    if errors:
        told = "; ".join(f"{f.what} ({f.where}). {f.remedy}" for f in errors)
        raise DataError(f"the data cannot be trained on as they are: {told}")


class _closing:  # noqa: N801 - reads as a word in `with _closing(folder):`
    """Whatever ends a run is written into its record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            return
        state = "interrupted" if isinstance(error, TrainingInterrupted | KeyboardInterrupt) else "failed"
        try:
            told = record.load(self.folder)
            outcome = str(error) or type(error).__name__
            record.change(self.folder, told, state=state, ended=record.now(), outcome=outcome, pids={})
        except Exception as second:  # noqa: BLE001 - a full disk must not hide the first error
            print(f"advisor: the record could not be completed: {second}", file=sys.stderr)


def _write_down(folder: Path, told: Record, made: Plan, seconds: float) -> Record:
    spec = made.spec
    _link(made.data.folder, folder / "data")
    record.write_text(folder / "spec.toml", to_toml(spec))
    predicted = {"predicted": made.predicted.as_dict()} if made.predicted else {}
    return record.change(
        folder,
        told,
        spec=spec.model_dump(mode="json"),
        origins=dict(made.composed.origins),
        data=dict(made.data.summary),
        model={
            "base": spec.model.base,
            "fingerprint": base.fingerprint(spec.model.base, spec.model.revision),
            **({"parameters": made.shape.parameters} if made.shape else {}),
        },
        findings=tuple(asdict(f) for f in made.found),
        deviations=made.rendered.deviations,
        environment={"machine": asdict(made.here)},
        timings_seconds={"prepare": round(seconds, 2)},
        memory_bytes=predicted,
    )


def _link(source: Path, target: Path) -> None:
    """Hard links where the file system can, else copies: the run keeps its tokens either way."""
    shutil.rmtree(target, ignore_errors=True)  # of a plan that came to nothing
    target.mkdir()
    for file in source.iterdir():
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copy2(file, target / file.name)


def _go(folder: Path, spec: RunSpec, watch: Watch) -> None:
    chosen = stack(spec.stack)
    if not _handed_over(folder):
        _train(folder, spec, chosen, watch)
    told = record.load(folder)
    data = dataset.open_dataset(folder / "data")
    if spec.evaluation.rows and data.summary["test_rows"]:
        watch.stage("evaluate")
        told = _evaluate(folder, told)
    told = record.change(folder, told, state="finished", ended=record.now(), pids={}, outcome=_outcome(told))
    card.write(folder, told)


def _handed_over(folder: Path) -> bool:
    """Whether the adapter is there and was judged; a stack that has trained may have left a wrong one."""
    attempts = record.load(folder).attempts
    return bool(attempts) and attempts[-1].outcome == "trained" and (folder / "adapter").is_dir()


def _train(folder: Path, spec: RunSpec, chosen: Stack, watch: Watch) -> None:
    watch.stage("environment")
    env = environment.ready(chosen.lock, chosen.needed, watch.stage)
    data = dataset.open_dataset(folder / "data")
    checkpoint = launch.last_checkpoint(folder / "work")
    job = _job_here(spec, data, folder, checkpoint)
    rendered = chosen.render(spec, job)
    job.native.mkdir(exist_ok=True)
    job.work.mkdir(exist_ok=True)
    for name, text in rendered.files.items():
        record.write_text(job.native / name, text)
    if job.template is not None:
        record.write_text(job.template, str(tokenizer_of(spec).chat_template))
    told = record.load(folder)
    from_step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    earlier = tuple(replace(a, outcome="lost") if a.outcome == "running" else a for a in told.attempts)
    attempt = Attempt(started=record.now(), from_step=from_step)
    told = record.change(
        folder,
        told,
        attempts=(*earlier, attempt),
        environment={**told.environment, **environment.as_dict(env, environment.pins(chosen.lock))},
    )
    steps: list[dict[str, Any]] = []

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            steps.append(event)
        watch.event(event)

    def started(pid: int) -> None:
        record.change(folder, told, pids={"wrapper": os.getpid(), "trainer": pid})

    watch.stage("train")
    try:
        ended = launch.ended_before(folder, hear)
        if ended is None:
            (folder / spread.GO).touch()
            ended = launch.launch(
                chosen.command(env.python, spec, job),
                folder,
                chosen.environment(spec),
                on_event=hear,
                on_start=started,
                on_stopping=watch.stopping,
            )
        if ended.lingered:
            watch.stage("training was finished, but its process did not leave; it was ended")
        chosen.hand_over(spec, job)
    except (TrainingFailed, TrainingInterrupted) as error:
        kind = "interrupted" if isinstance(error, TrainingInterrupted) else "failed"
        _attempt_over(folder, attempt, steps, kind, 0.0)
        raise
    finally:
        (folder / spread.GO).unlink(missing_ok=True)
    told = _attempt_over(folder, attempt, steps, "trained", ended.seconds)
    device = "gpu" if spec.devices.kind == "cuda" else "rss"
    record.change(
        folder,
        told,
        timings_seconds={
            **told.timings_seconds,
            "train": round(ended.seconds, 2),
            "stack": ended.finished["seconds"],
        },
        memory_bytes={
            **told.memory_bytes,
            "measured_peak": ended.finished[f"peak_{device}_bytes"],
            "device": device,
        },
    )


def _attempt_over(
    folder: Path, attempt: Attempt, steps: list[dict[str, Any]], outcome: str, seconds: float
) -> Record:
    told = record.load(folder)
    reached = int(steps[-1]["step"]) if steps else attempt.from_step
    over = replace(attempt, to_step=reached, outcome=outcome, seconds=round(seconds, 2))
    losses = dict(told.losses)
    measured = [s["loss"] for s in steps if s["loss"] is not None]
    if measured:
        losses.setdefault("first_step", measured[0])
        losses |= {
            "last_step": measured[-1],
            "lowest_step": min([*measured, losses.get("lowest_step", measured[0])]),
        }
    return record.change(folder, told, attempts=(*told.attempts[:-1], over), losses=losses)


def _evaluate(folder: Path, told: Record) -> Record:
    done = subprocess.run(
        [sys.executable, "-m", "finetune.after.evaluate", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    with (folder / "log.txt").open("a") as log:
        log.write(done.stdout + done.stderr)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingFailed(
            f"the adapter is trained and kept in {folder / 'adapter'}, but its evaluation ended with "
            f"{done.returncode}: {last}. `advisor train --resume {folder}` evaluates again"
        )
    judged = json.loads((folder / "evaluation.json").read_text("utf-8"))
    return record.change(
        folder,
        told,
        losses={**told.losses, "held_out": judged["losses"], "held_out_tokens": judged["tokens"]},
        timings_seconds={**told.timings_seconds, "evaluate": judged["seconds"]},
    )


def _outcome(told: Record) -> str:
    held = told.losses.get("held_out")
    if not held:
        return "trained; not evaluated (no held-out rows)"
    suffix = "_quantised" if "base_quantised" in held else ""
    before, after = held["base" + suffix], held["adapter" + suffix]
    return f"held-out loss {before:.4f} → {after:.4f} on {told.losses['held_out_tokens']} tokens"
