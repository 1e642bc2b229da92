"""Run the same job with every stack, and compare speed and memory on this machine.

Round A has equal settings for all stacks: base model (by fingerprint), token ids and their order, batch,
micro-batch and steps. Padding (to the longest row of a micro-batch), initial adapter, optimiser, schedule and
attention kernel are equal too. In round B each stack also uses what its own documentation recommends for
speed (`training.own_speedups`). The order of the stacks rotates from seed to seed. The first stack runs twice
with the same seed; the difference between its two speeds is the noise floor. Figures count only if the stack
did the same work, which the `GATES` check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import AdvisorError
from finetune import record, run
from finetune.bench.figures import FEWEST_STEPS, RunFigures, check_gates, find_reference, measure_run
from finetune.callbacks import RunCallbacks
from finetune.errors import RunError, SpecError, TrainingInterruption
from finetune.machine import device_memory, hardware
from finetune.process import launch
from finetune.sections import LORA_LIKE
from finetune.spec import ComposedSpec, compose_spec, iterate_leaves, nest_leaves
from finetune.stacks.shared import equivalence

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK: Mapping[str, Any] = {
    "method.name": "lora",
    "method.r": 8,
    "method.alpha": 16,
    "training.batch_size": 4,
    "training.micro_batch_size": 4,
    "training.steps": 10,
    "training.warmup": 2.0,
    "training.learning_rate": 1e-3,
    "training.max_grad_norm": 1.0,
    "training.gradient_checkpointing": False,
    "data.max_length": 256,
    "evaluation.rows": 24,
    "evaluation.generations": 0,
    "evaluation.metrics": (),
    "evaluation.every_steps": 0,
}
_LENGTHS = ("training.steps", "training.epochs")
THOROUGH: Mapping[str, Any] = {
    **QUICK,
    "training.steps": 60,
    "training.batch_size": 8,
    "data.max_length": 1024,
}


@dataclass(frozen=True)
class Bench:
    """All runs of a bench.

    Attributes:
        runs: the runs, in order.
        noise_floor: difference in speed between two equal runs, as a share; None if it was not measured.
        settings: fields of the spec that all runs share.
        machine: the machine that they ran on.
        date: when the last of them started.
    """

    runs: tuple[RunFigures, ...]
    noise_floor: float | None
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    date: str

    @property
    def seconds(self) -> float:
        """Duration of all runs together."""
        return sum(one.seconds for one in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """Return the bench as values for JSON."""
        runs = [{**asdict(one), "counts": one.counts} for one in self.runs]
        return {**asdict(self), "seconds": self.seconds, "runs": runs}


def run_bench(
    job: Mapping[str, Any],
    stacks: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    *,
    rounds: Sequence[str] = ("A",),
    callbacks: RunCallbacks,
    on_run: Callable[[RunFigures], None] = lambda _: None,
) -> Bench:
    """Run every stack with every seed in every round, and the first one once more.

    Args:
        job: fields of the spec that all runs share (model, data and settings).
        stacks: names of the stacks; the first one that succeeds is the reference for the gates.
        seeds: one run of every stack and round for each.
        folder: folder of the runs, ``STACK-SEED`` each; a finished run there does not run again.
        rounds: ``A``, ``B`` or both.
        callbacks: called with stages and events.
        on_run: called with each finished run.

    Raises:
        TrainingInterruption: the bench was stopped; finished runs stay.
        RunError: another process uses the folder, or it contains something else.
    """
    plan = [
        (stack, seed, round_name)
        for number, seed in enumerate(seeds)
        for stack in [*stacks[number % len(stacks) :], *stacks[: number % len(stacks)]]
        for round_name in rounds
    ]
    count = len(plan) + 1
    runs: list[RunFigures] = []
    with explain_interruption(runs, count, folder):
        for stack, seed, round_name in plan:
            callbacks.on_stage(f"run {len(runs) + 1} of {count}: {stack}, seed {seed}, round {round_name}")
            runs.append(_run_stack(job, stack, seed, folder, round_name, callbacks))
            on_run(runs[-1])
        first = next((one for one in runs if not one.reason), None)
        noise = None
        if first is not None:
            callbacks.on_stage(f"run {count} of {count}: {first.stack} again, for the noise floor")
            second = _run_stack(job, first.stack, first.seed, folder, first.round, callbacks, "-again")
            runs.append(replace(second, again=True))
            on_run(runs[-1])
            if not second.reason:
                speeds = (first.tokens_per_second, second.tokens_per_second)
                noise = abs(speeds[0] - speeds[1]) / max(*speeds, 1e-9)
    results = tuple(check_gates(one, find_reference(runs, stacks, one.seed, one.round)) for one in runs)
    date = max((one.started for one in results), default="") or record.utc_now()
    return Bench(results, noise, dict(job), asdict(hardware.detect_machine()), date)


@contextmanager
def explain_interruption(runs: Sequence[RunFigures], count: int, folder: Path) -> Iterator[None]:
    """Say how many runs an interrupted bench has, and how to resume it."""
    try:
        yield
    except (TrainingInterruption, KeyboardInterrupt):
        advice = f"run the same command with -o {folder} to resume"
        raise TrainingInterruption(f"stopped; {len(runs)} of {count} runs are complete; {advice}") from None


def _run_stack(
    job: Mapping[str, Any],
    stack: str,
    seed: int,
    runs: Path,
    round_name: str,
    callbacks: RunCallbacks,
    suffix: str = "",
) -> RunFigures:
    folder = runs / f"{stack}-{seed}{'-best' if round_name == 'B' else ''}{suffix}"
    values = {**job, "stack": stack, "training.seed": seed, "output": str(folder)}
    values["training.own_speedups"] = round_name == "B"
    return measure_job(folder, values, round_name, callbacks)


def measure_job(
    folder: Path,
    values: Mapping[str, Any],
    round_name: str,
    callbacks: RunCallbacks,
    version: str = "",
) -> RunFigures:
    """Run a job unless it is finished, check its adapter, and return its figures, or why there are none.

    Args:
        folder: folder of the run.
        values: fields of its spec.
        round_name: round of the bench.
        callbacks: called with stages and events.
        version: a released version of the stack; empty: the tested one.

    Raises:
        TrainingInterruption: the run was stopped.
        RunError: another process uses the folder, or it contains something else.
    """
    stack, seed = str(values["stack"]), int(values["training.seed"])
    try:
        _run_or_resume(folder, values, callbacks, version)
        method = record.read_record(folder).spec["method"]["name"]
        if method in LORA_LIKE and not (folder / "gate.json").is_file():
            equivalence.check_logits(folder)
        return replace(measure_run(stack, seed, folder), round=round_name)
    except (TrainingInterruption, RunError):
        raise
    except AdvisorError as error:
        return RunFigures(stack, seed, round=round_name, reason=str(error))


def _run_or_resume(folder: Path, values: Mapping[str, Any], callbacks: RunCallbacks, version: str) -> None:
    """Run what is not finished. An interrupted training starts again, because its times have a gap."""
    if (folder / "record.json").is_file():
        state = record.read_record(folder).current_state
        if state == "finished":
            return
        if state == "running":
            raise RunError(f"{folder} is running; wait for it, or use another -o")
        if any(event["event"] == "finished" for _, event in launch.read_events(folder)):
            run.resume_run(folder, callbacks)
            return
        record.clear_run(folder)
    with device_memory.record_peak(folder):
        run.start_run(compose_spec([("bench", nest_leaves(values))]), callbacks=callbacks, version=version)


def merge_settings(composed_spec: ComposedSpec, quick: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the bench: the user's over those of the bench (``quick``) over the demo's.

    A run has steps or epochs: the one that comes last replaces the other.

    Raises:
        SpecError: the runs would be too short to measure.
    """
    origins = composed_spec.origins
    fields = dict(iterate_leaves(composed_spec.spec.model_dump()))
    explicit = {name: value for name, value in fields.items() if origins.get(name) != "default"}
    demo = {name: value for name, value in explicit.items() if origins[name] == "--demo"}
    own = {name: value for name, value in explicit.items() if name not in demo}
    settings: dict[str, Any] = {}
    for layer in (demo, quick, own):
        old_names = _LENGTHS if any(name in layer for name in _LENGTHS) else ()
        settings = {name: value for name, value in settings.items() if name not in old_names} | dict(layer)
    steps = settings.get("training.steps")
    if steps is not None and steps < FEWEST_STEPS:
        raise SpecError(
            f"training.steps = {steps} is too short to measure: a bench needs at least {FEWEST_STEPS} steps"
        )
    return settings


def cost_per_million(tokens_per_second: float, price_per_hour: float) -> float:
    """Return the price of a million non-padding tokens, in the currency of ``price_per_hour``."""
    return price_per_hour / 3600 / tokens_per_second * 1e6
