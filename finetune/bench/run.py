"""The same job on every stack, side by side: who is fastest and leanest on this machine, fairly.

Fixed for all: base model (by fingerprint), token ids and their order, batch, micro-batch, steps, padding to
the longest row of a micro-batch, adapter with its first values, optimiser, schedule, attention kernel: round
A. In round B each stack has what its own documentation recommends for speed on top (`training.own_speedups`).
The order of the stacks rotates from seed to seed; the first stack runs twice with the same seed, and the
difference between its two speeds is the noise floor. A number counts only if the stack did the same work,
which `GATES` check.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import AdvisorError, InputError
from finetune import record, run
from finetune.bench.figures import RunFigures, check_gates, measure_run, find_reference
from finetune.errors import RunError, TrainingInterruption
from finetune.machine import device_memory, hardware
from finetune.process import launch
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
    "evaluation.every_steps": 0,
}
THOROUGH: Mapping[str, Any] = {
    **QUICK,
    "training.steps": 60,
    "training.batch_size": 8,
    "data.max_length": 1024,
}


@dataclass(frozen=True)
class Bench:
    """All runs, the machine they ran on, and how far two runs of the same stack lie apart (a share).

    ``date`` is when the last of them began: the same bench looked at again is no new one.
    """

    runs: tuple[RunFigures, ...]
    noise_floor: float | None
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    date: str

    @property
    def seconds(self) -> float:
        """What all runs took together."""
        return sum(one.seconds for one in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        runs = [{**asdict(one), "counts": one.counts} for one in self.runs]
        return {**asdict(self), "seconds": self.seconds, "runs": runs}


def from_dict(told: Mapping[str, Any]) -> Bench:
    """What `Bench.as_dict` made, read again.

    Raises:
        InputError: it is not that.
    """
    try:
        runs = [RunFigures(**{k: v for k, v in one.items() if k != "counts"}) for one in told["runs"]]
        kept = {name: told[name] for name in ("noise_floor", "settings", "machine", "date")}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this is no result of `advisor bench`: {type(error).__name__}: {error}") from None
    return Bench(tuple(runs), **kept)


def run_bench(
    job: Mapping[str, Any],
    stacks: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    *,
    rounds: Sequence[str] = ("A",),
    watch: run.RunCallbacks,
    told: Callable[[RunFigures], None] = lambda _: None,
) -> Bench:
    """Run every stack with every seed in every round, and the first once more.

    Args:
        job: leaves of the spec that all runs share (model, data and settings).
        stacks: which; the first one is the reference of the gates if it succeeds.
        seeds: one round each.
        folder: where the runs go, ``STACK-SEED`` each; a finished run there is not run again.
        rounds: ``A``, ``B`` or both.
        watch: hears of stages and events.
        told: hears of finished runs.

    Raises:
        TrainingInterruption: it was stopped; finished runs are kept.
        RunError: another process runs there, or something else lies there.
    """
    turns = [
        (stack, seed, one)
        for number, seed in enumerate(seeds)
        for stack in [*stacks[number % len(stacks) :], *stacks[: number % len(stacks)]]
        for one in rounds
    ]
    runs: list[RunFigures] = []
    with _kept(runs, len(turns) + 1, folder):
        for stack, seed, one in turns:
            watch.on_stage(f"run {len(runs) + 1} of {len(turns) + 1}: {stack}, seed {seed}, round {one}")
            runs.append(_one(job, stack, seed, folder, one, watch))
            told(runs[-1])
        first = next((one for one in runs if not one.reason), None)
        noise = None
        if first is not None:
            watch.on_stage(f"run {len(turns) + 1} of {len(turns) + 1}: {first.stack} again, for the noise floor")
            repeated = _one(job, first.stack, first.seed, folder, first.round, watch, "-again")
            runs.append(replace(repeated, again=True))
            told(runs[-1])
            if not repeated.reason:
                speeds = (first.tokens_per_second, repeated.tokens_per_second)
                noise = abs(speeds[0] - speeds[1]) / max(*speeds, 1e-9)
    judged = tuple(check_gates(one, find_reference(runs, stacks, one.seed, one.round)) for one in runs)
    date = max((one.started for one in judged), default="") or record.utc_now()
    return Bench(judged, noise, dict(job), asdict(hardware.detect_machine()), date)


@contextmanager
def _kept(runs: Sequence[RunFigures], of_all: int, folder: Path) -> Iterator[None]:
    """Say what an interrupted bench has, and how to go on."""
    try:
        yield
    except (TrainingInterruption, KeyboardInterrupt):
        onward = f"the same command with -o {folder} goes on"
        raise TrainingInterruption(f"stopped; {len(runs)} of {of_all} runs are kept; {onward}") from None


def _one(
    job: Mapping[str, Any], stack: str, seed: int, runs: Path, turn: str, watch: run.RunCallbacks, mark: str = ""
) -> RunFigures:
    folder = runs / f"{stack}-{seed}{'-best' if turn == 'B' else ''}{mark}"
    values = {**job, "stack": stack, "training.seed": seed, "output": str(folder)}
    values["training.own_speedups"] = turn == "B"
    try:
        _bring_to_its_end(folder, values, watch)
        if record.read_record(folder).spec["method"]["name"] == "lora" and not (folder / "gate.json").is_file():
            equivalence.check_logits(folder)
        return replace(measure_run(stack, seed, folder), round=turn)
    except (TrainingInterruption, RunError):
        raise
    except AdvisorError as error:
        return RunFigures(stack, seed, round=turn, reason=str(error))


def _bring_to_its_end(folder: Path, values: Mapping[str, Any], watch: run.RunCallbacks) -> None:
    """Run what is not finished. A training that was interrupted begins anew: its clock would have a hole."""
    if (folder / "record.json").is_file():
        standing = record.read_record(folder).current_state
        if standing == "finished":
            return
        if standing == "running":
            raise RunError(f"{folder} is running; wait for it, or give another -o")
        if any(event["event"] == "finished" for _, event in launch.read_events(folder)):
            run.resume_run(folder, watch)
            return
        shutil.rmtree(folder)
    with device_memory.record_peak(folder):
        run.start_run(compose_spec([("bench", nest_leaves(values))]), callbacks=watch)


def merge_settings(composed: ComposedSpec, quick: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves that the bench runs with: what the user set, over the bench's own, over the demo's."""
    asked = dict(iterate_leaves(composed.spec.model_dump()))
    given = {name: value for name, value in asked.items() if composed.origins.get(name) != "default"}
    demo = {name: value for name, value in given.items() if composed.origins[name] == "--demo"}
    return {**demo, **quick, **{name: value for name, value in given.items() if name not in demo}}


def cost_per_million(tokens_per_second: float, price_per_hour: float) -> float:
    """Price of a million non-padding tokens, in the currency of the price."""
    return price_per_hour / 3600 / tokens_per_second * 1e6
