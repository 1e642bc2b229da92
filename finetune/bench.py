"""The same job on every stack, side by side: who is fastest and leanest on this machine, fairly.

Fixed for all: base model (by fingerprint), token ids and their order, batch, micro-batch, steps, padding to
the longest row of a micro-batch, adapter with its first values, optimiser, schedule, attention kernel: round
A. In round B each stack has what its own documentation recommends for speed on top (`training.own_speedups`).
The order of the stacks rotates from seed to seed; the first stack runs twice with the same seed, and the
difference between its two speeds is the noise floor. A number counts only if the stack did the same work,
which `GATES` check.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError
from finetune import device_memory, launch, machine, record, run
from finetune.dataset import open_dataset
from finetune.spec import Composed, compose, leaves, nest

WARM_UP_STEPS = 2
GATES = {
    "first loss": "the loss of the first step differs from the reference's by at most 0.01",
    "trainable": "the number of trainable parameters is the reference's",
    "tokens": "the tokens (no padding) of all steps are the reference's",
    "logits": "PEFT's logits with the adapter are those of the stack's own model, up to rounding",
}
# What a stack's own best may change: packed rows are other tokens a step, and so another first loss.
GATES_OF_ROUND = {"A": tuple(GATES), "B": ("trainable", "logits")}
_LOSS_TOLERANCE = 0.01
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
class Measured:
    """One run of one stack. Times in seconds, memory in bytes.

    Attributes:
        stack, seed, again: which run; ``again`` is the repetition for the noise floor.
        round: ``A``, equal settings, or ``B``, each at its documented best.
        started: when the run began.
        reason: why there is no number; empty where there is one.
        tokens_per_second: non-padding tokens over the time of all steps after the warm-up.
        trained_tokens_per_second: of these, the tokens that bear loss.
        step_seconds: median time of a step; ``step_spread``: its interquartile range.
        first_step_seconds: from the start of the process to the end of the first step, by phase.
        peak_bytes: of the process (CPU) or of the allocator (GPU).
        device_peak_bytes: largest use of the GPU's memory that the driver saw; 0 without a GPU.
        install_seconds, install_bytes, packages: of the environment; 0 seconds where it was at hand.
        held_out: loss of the adapter by our evaluator; ``base``: without it.
        gates: gate → passed.
    """

    stack: str
    seed: int
    again: bool = False
    round: str = "A"
    reason: str = ""
    version: str = ""
    started: str = ""
    tokens_per_second: float = 0.0
    trained_tokens_per_second: float = 0.0
    step_seconds: float = 0.0
    step_spread: float = 0.0
    first_step_seconds: Mapping[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    device_peak_bytes: int = 0
    install_seconds: float = 0.0
    install_bytes: int = 0
    packages: int = 0
    held_out: float | None = None
    base: float | None = None
    first_loss: float = 0.0
    trainable: int = 0
    tokens: int = 0
    logits: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, bool] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether the numbers may be compared."""
        return not self.reason and all(self.gates.values())


@dataclass(frozen=True)
class Bench:
    """All runs, the machine they ran on, and how far two runs of the same stack lie apart (a share).

    ``date`` is when the last of them began: the same bench looked at again is no new one.
    """

    runs: tuple[Measured, ...]
    noise_floor: float | None
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    date: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "runs": [{**asdict(one), "counts": one.counts} for one in self.runs]}


def bench(
    job: Mapping[str, Any],
    stacks: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    *,
    rounds: Sequence[str] = ("A",),
    watch: run.Watch,
    told: Callable[[Measured], None] = lambda _: None,
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
    """
    runs: list[Measured] = []
    for number, seed in enumerate(seeds):
        turn = number % len(stacks)
        for stack in [*stacks[turn:], *stacks[:turn]]:
            for one in rounds:
                runs.append(_one(job, stack, seed, folder, one, watch))
                told(runs[-1])
    first = next((one for one in runs if not one.reason), None)
    noise = None
    if first is not None:
        repeated = _one(job, first.stack, first.seed, folder, first.round, watch, "-again")
        runs.append(replace(repeated, again=True))
        told(runs[-1])
        if not repeated.reason:
            speeds = (first.tokens_per_second, repeated.tokens_per_second)
            noise = abs(speeds[0] - speeds[1]) / max(*speeds, 1e-9)
    judged = tuple(_judge(one, _reference(runs, stacks, one.seed, one.round)) for one in runs)
    date = max((one.started for one in judged), default="") or record.now()
    return Bench(judged, noise, dict(job), asdict(machine.look()), date)


def _one(
    job: Mapping[str, Any], stack: str, seed: int, runs: Path, turn: str, watch: run.Watch, mark: str = ""
) -> Measured:
    folder = runs / f"{stack}-{seed}{'-best' if turn == 'B' else ''}{mark}"
    values = {**job, "stack": stack, "training.seed": seed, "output": str(folder)}
    values["training.own_speedups"] = turn == "B"
    try:
        if not (folder / "record.json").is_file():
            with device_memory.watched(folder):
                run.start(compose([("bench", nest(values))]), watch=watch)
        elif record.load(folder).standing != "finished":
            with device_memory.watched(folder):
                run.resume(folder, watch)
        return replace(measure(stack, seed, folder), round=turn)
    except AdvisorError as error:
        return Measured(stack, seed, round=turn, reason=str(error))


def measure(stack: str, seed: int, folder: Path) -> Measured:
    """The figures of a finished run, out of its events, its record and its data.

    Raises:
        AdvisorError: there are too few steps, or events are missing.
    """
    told = record.load(folder)
    events = [event for _, event in launch.events(folder)]
    steps = [e for e in events if e["event"] == "step"]
    last: dict[str, dict[str, Any]] = {e["event"]: e for e in events}
    if len(steps) < WARM_UP_STEPS + 2 or "loaded" not in last or "finished" not in last:
        raise AdvisorError(f"{folder} tells too little to be measured: {len(steps)} steps")
    timed = steps[WARM_UP_STEPS - 1 :]
    times = [b["time"] - a["time"] for a, b in pairwise(timed)]
    tokens = timed[-1]["tokens"] - timed[0]["tokens"]
    data = open_dataset(folder / "data").summary
    speed = tokens / sum(times)
    quarters = statistics.quantiles(times, n=4)
    held = told.losses.get("held_out") or {}
    packages = told.environment.get("packages") or {}
    check = folder / "gate.json"
    gpu = told.spec["devices"]["kind"] == "cuda"
    return Measured(
        stack,
        seed,
        version=packages.get(stack, ""),
        started=told.started,
        tokens_per_second=speed,
        trained_tokens_per_second=speed * data["trained_tokens"] / data["train_tokens"],
        step_seconds=statistics.median(times),
        step_spread=quarters[2] - quarters[0],
        first_step_seconds=_phases(events, steps[0]),
        peak_bytes=last["finished"]["peak_gpu_bytes" if gpu else "peak_rss_bytes"],
        device_peak_bytes=device_memory.peak(folder),
        install_seconds=told.environment.get("seconds", 0.0),
        install_bytes=told.environment.get("bytes", 0),
        packages=len(packages),
        held_out=held.get("adapter"),
        base=held.get("base"),
        first_loss=steps[0]["loss"],
        trainable=last["loaded"]["trainable"],
        tokens=steps[-1]["tokens"],
        logits=json.loads(check.read_text("utf-8")) if check.is_file() else {},
    )


def _phases(events: list[dict[str, Any]], first: dict[str, Any]) -> dict[str, float]:
    """Seconds between the marks that the runner set on its way to the first step."""
    marks = [e for e in events if e["event"] in ("started", "imported", "converted", "loaded")] + [first]
    names = {"imported": "import", "converted": "convert", "loaded": "load", "step": "first step"}
    pairs = pairwise(marks)
    return {names[b["event"]]: round(b["time"] - a["time"], 2) for a, b in pairs if b["event"] in names}


def _reference(runs: Sequence[Measured], stacks: Sequence[str], seed: int, turn: str) -> Measured | None:
    """The first stack that ran in this round, or failing that in round A."""
    for one in (turn, "A"):
        ran = {r.stack: r for r in reversed(runs) if (r.seed, r.round) == (seed, one) and not r.reason}
        if found := next((ran[stack] for stack in stacks if stack in ran), None):
            return found
    return None


def _judge(one: Measured, reference: Measured | None) -> Measured:
    if one.reason or reference is None:
        return one
    gates = {
        "first loss": abs(one.first_loss - reference.first_loss) <= _LOSS_TOLERANCE,
        "trainable": one.trainable == reference.trainable,
        "tokens": one.tokens == reference.tokens,
        "logits": not one.logits or bool(one.logits["passed"]),
    }
    return replace(one, gates={name: gates[name] for name in GATES_OF_ROUND[one.round]})


def settings(composed: Composed, quick: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves that the bench runs with: what the user set, over the bench's own, over the demo's."""
    asked = dict(leaves(composed.spec.model_dump()))
    given = {name: value for name, value in asked.items() if composed.origins.get(name) != "default"}
    demo = {name: value for name, value in given.items() if composed.origins[name] == "--demo"}
    return {**demo, **quick, **{name: value for name, value in given.items() if name not in demo}}


def cost_per_million(tokens_per_second: float, price_per_hour: float) -> float:
    """Price of a million non-padding tokens, in the currency of the price."""
    return price_per_hour / 3600 / tokens_per_second * 1e6
