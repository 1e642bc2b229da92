"""What one run of a bench tells, out of its record, its events and its data; and whether it may count."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError
from finetune import record
from finetune.data.dataset import open_dataset
from finetune.machine import device_memory
from finetune.process import environment, launch
from finetune.stacks import load_stack

WARM_UP_STEPS = 2
GATES = {
    "input": "base model, tokens to train on and held-out tokens have the reference's hashes",
    "first loss": "the loss of the first step differs from the reference's by at most 0.01",
    "trainable": "the number of trainable parameters is the reference's",
    "tokens": "the tokens (no padding) of all steps are the reference's",
    "trained tokens": "of these, those that bore loss are as many as the reference's",
    "logits": "PEFT's logits with the adapter are those of the stack's own model, up to rounding",
}
# What a stack's own best may change: packed rows are other tokens a step, and so another first loss.
GATES_OF_ROUND = {"A": tuple(GATES), "B": ("input", "trainable", "logits")}
_LOSS_TOLERANCE = 0.01


@dataclass(frozen=True)
class RunFigures:
    """One run of one stack. Times in seconds, memory in bytes.

    Attributes:
        stack, seed, again: which run; ``again`` is the repetition for the noise floor.
        round: ``A``, equal settings, or ``B``, each at its documented best.
        method: of the adapter; logits are not compared on a 4-bit base, which each stack rounds its own way.
        started, seconds: when the run began, and how long all of it took, evaluation and checks included.
        reason: why there is no number; empty where there is one.
        tokens_per_second: non-padding tokens over the time of all steps after the warm-up.
        trained_tokens_per_second: of these, the tokens that bear loss, counted where the loss is taken.
        step_seconds: median time of a step; ``step_spread``: its interquartile range.
        first_step_seconds: from the start of the process to the end of the first step, by phase.
        peak_bytes: of the process (CPU) or of the allocator (GPU).
        device_peak_bytes: largest use of the GPU's memory that the driver saw; 0 without a GPU.
        install_seconds, install_bytes, packages: of the stack's own environment; 0 where none was built.
        held_out: loss of the adapter by our evaluator; ``base``: without it.
        input: hashes of base model, tokens to train on and held-out tokens.
        gates: gate → passed.
    """

    stack: str
    seed: int
    again: bool = False
    round: str = "A"
    method: str = ""
    reason: str = ""
    version: str = ""
    started: str = ""
    seconds: float = 0.0
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
    trained_tokens: int = 0
    input: Sequence[str] = ()
    logits: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, bool] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether the numbers may be compared."""
        return not self.reason and all(self.gates.values())


def measure_run(stack: str, seed: int, folder: Path) -> RunFigures:
    """The figures of a finished run.

    Raises:
        AdvisorError: there are too few steps, or events are missing.
    """
    told = record.read_record(folder)
    events = [event for _, event in launch.read_events(folder)]
    steps = [e for e in events if e["event"] == "step"]
    last: dict[str, dict[str, Any]] = {e["event"]: e for e in events}
    if len(steps) < WARM_UP_STEPS + 2 or "loaded" not in last or "finished" not in last:
        raise AdvisorError(f"{folder} tells too little to be measured: {len(steps)} steps")
    timed = steps[WARM_UP_STEPS - 1 :]
    times = [b["time"] - a["time"] for a, b in pairwise(timed)]
    quarters = statistics.quantiles(times, n=4)
    data = open_dataset(folder / "data").summary
    held = told.losses.get("held_out") or {}
    packages = told.environment.get("packages") or {}
    built = environment.read_build_costs(load_stack(stack).lock)
    check = folder / "gate.json"
    gpu = told.spec["devices"]["kind"] == "cuda"
    return RunFigures(
        stack,
        seed,
        method=told.spec["method"]["name"],
        version=packages.get(stack, ""),
        started=told.started,
        seconds=_seconds(told),
        tokens_per_second=(timed[-1]["tokens"] - timed[0]["tokens"]) / sum(times),
        trained_tokens_per_second=(timed[-1]["trained"] - timed[0]["trained"]) / sum(times),
        step_seconds=statistics.median(times),
        step_spread=quarters[2] - quarters[0],
        first_step_seconds=_phases(events, steps[0]),
        peak_bytes=last["finished"]["peak_gpu_bytes" if gpu else "peak_rss_bytes"],
        device_peak_bytes=device_memory.read_peak_bytes(folder),
        install_seconds=built.get("seconds", 0.0),
        install_bytes=built.get("bytes", 0),
        packages=len(packages),
        held_out=held.get("adapter"),
        base=held.get("base"),
        first_loss=steps[0]["loss"],
        trainable=last["loaded"]["trainable"],
        tokens=steps[-1]["tokens"],
        trained_tokens=steps[-1]["trained"],
        input=(told.model["fingerprint"], data["train_sha256"], data["test_sha256"]),
        logits=json.loads(check.read_text("utf-8")) if check.is_file() else {},
    )


def _seconds(told: record.Record) -> float:
    ended = datetime.fromisoformat(told.ended or told.started)
    return (ended - datetime.fromisoformat(told.started)).total_seconds()


def _phases(events: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> dict[str, float]:
    """Seconds between the marks that the runner set on its way to the first step."""
    marks = [e for e in events if e["event"] in ("started", "imported", "converted", "loaded")] + [first]
    names = {"imported": "import", "converted": "convert", "loaded": "load", "step": "first step"}
    pairs = pairwise(marks)
    return {names[b["event"]]: round(b["time"] - a["time"], 2) for a, b in pairs if b["event"] in names}


def find_reference(runs: Sequence[RunFigures], stacks: Sequence[str], seed: int, turn: str) -> RunFigures | None:
    """The first stack that ran in this round, or failing that in round A."""
    for one in (turn, "A"):
        ran = {r.stack: r for r in reversed(runs) if (r.seed, r.round) == (seed, one) and not r.reason}
        if found := next((ran[stack] for stack in stacks if stack in ran), None):
            return found
    return None


def check_gates(one: RunFigures, other: RunFigures | None) -> RunFigures:
    """The run with the gates of its round, against the reference."""
    if one.reason or other is None:
        return one
    gates = {
        "input": tuple(one.input) == tuple(other.input),
        "first loss": abs(one.first_loss - other.first_loss) <= _LOSS_TOLERANCE,
        "trainable": one.trainable == other.trainable,
        "tokens": one.tokens == other.tokens,
        "trained tokens": one.trained_tokens == other.trained_tokens,
        "logits": bool(one.logits.get("passed")),
    }
    if one.method == "qlora":
        del gates["logits"]
    return replace(one, gates={name: gates[name] for name in GATES_OF_ROUND[one.round] if name in gates})
