"""The figures of one bench run, from its record, events and data, and whether they may be compared."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from advisor.errors import AdvisorError
from finetune import record
from finetune.data.dataset import open_dataset
from finetune.machine import device_memory, hardware, roofline
from finetune.process import environment, launch, version_lock
from finetune.spec import RunSpec
from finetune.stacks import load_stack
from finetune.weights import base

WARM_UP_STEPS = 2
FEWEST_STEPS = WARM_UP_STEPS + 2
GATES = {
    "input": "base model, training tokens and held-out tokens have the same hashes as the reference",
    "first loss": "the loss of the first step differs from the reference's by at most 0.01",
    "trainable": "the number of trainable parameters is that of the reference",
    "tokens": "the number of tokens (no padding) of all steps is that of the reference",
    "trained tokens": "the number of tokens that contribute to the loss is that of the reference",
    "logits": "PEFT with the adapter gives the logits of the stack's own model, up to rounding",
}
# In round B a stack may pack rows: then a step has other tokens, and the first loss is another.
GATES_OF_ROUND = {"A": tuple(GATES), "B": ("input", "trainable", "logits"), "V": tuple(GATES)}
LOSS_TOLERANCE = 0.01
# What a result file may contain, which may come from a stranger: no NaN, no infinity, no 4,000 digits.
_Amount = Annotated[float, Field(ge=0, le=1e18)]
_Number = Annotated[float, Field(ge=-1e18, le=1e18)]
_Count = Annotated[int, Field(ge=0, le=10**18)]


@dataclass(frozen=True)
class RunFigures:
    """One run of one stack. Times in seconds, memory in bytes.

    Attributes:
        stack, seed, again: which run; ``again`` is the repetition for the noise floor.
        round: ``A`` (equal settings), ``B`` (each stack with its documented best settings) or ``V`` (released
            versions of one stack, with equal settings).
        method: method of the adapter.
        started, seconds: start time, and duration including evaluation and checks.
        reason: why there are no figures; empty if there are.
        tokens_per_second: non-padding tokens over the time of all steps after the warm-up.
        trained_tokens_per_second: the same for the tokens that contribute to the loss.
        step_seconds: median time of a step; ``step_spread``: its interquartile range.
        first_step_seconds: from the start of the process to the end of the first step, by phase.
        speed_limit: tokens per second that the cards cannot exceed; 0 if unknown.
        peak_bytes: peak of the process (CPU) or of the allocator (GPU).
        device_peak_bytes: peak of the GPU's memory according to the driver; 0 without a GPU.
        install_seconds, install_bytes, packages: those of the stack's own environment; 0 if none was built.
        held_out: held-out loss of the adapter by our evaluator; ``base``: without the adapter.
        input: hashes of base model, training tokens and held-out tokens.
        losses: the loss of each step.
        libraries: name → version of what the stack trains with, and of the stack itself.
        differences: in round V, the largest differences from the reference; see `finetune.bench.parity`.
        gates: gate → whether the run passes it.
    """

    __pydantic_config__: ClassVar = ConfigDict(strict=True, allow_inf_nan=False)

    stack: str
    seed: Annotated[int, Field(ge=-(10**18), le=10**18)]
    again: bool = False
    round: Annotated[str, Field(pattern="^[ABV]$")] = "A"
    method: str = ""
    reason: str = ""
    version: str = ""
    started: str = ""
    seconds: _Amount = 0.0
    tokens_per_second: _Amount = 0.0
    trained_tokens_per_second: _Amount = 0.0
    step_seconds: _Amount = 0.0
    step_spread: _Amount = 0.0
    first_step_seconds: Mapping[str, _Amount] = field(default_factory=dict)
    speed_limit: _Amount = 0.0
    peak_bytes: _Count = 0
    device_peak_bytes: _Count = 0
    install_seconds: _Amount = 0.0
    install_bytes: _Count = 0
    packages: _Count = 0
    held_out: _Number | None = None
    base: _Number | None = None
    first_loss: _Number = 0.0
    trainable: _Count = 0
    tokens: _Count = 0
    trained_tokens: _Count = 0
    input: Sequence[str] = ()
    losses: Sequence[_Number] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[str, _Amount] = field(default_factory=dict)
    logits: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, bool] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether the figures may be compared."""
        return not self.reason and all(self.gates.values())

    @property
    def share_of_limit(self) -> float | None:
        """The speed over its limit; None if the limit is unknown."""
        return self.tokens_per_second / self.speed_limit if self.speed_limit else None

    @property
    def doubt(self) -> str:
        """Why the speed looks wrong; empty if it does not."""
        share = self.share_of_limit
        if share is None:
            return ""
        if share > 1:
            return f"its speed is {share:.0%} of what the card can compute, so tokens or time are wrong"
        if share < roofline.LOWEST_SHARE:
            return f"its speed is {share:.0%} of what the card can compute; look for a slow kernel in its log"
        return ""


def measure_run(stack: str, seed: int, folder: Path) -> RunFigures:
    """Return the figures of a finished run.

    Raises:
        AdvisorError: there are too few steps or events, or a file of the run is malformed.
    """
    try:
        return _measure_run(stack, seed, folder)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
        raise AdvisorError(
            f"a file in {folder} is malformed ({type(error).__name__}: {error}); delete it and run again"
        ) from None


def _measure_run(stack: str, seed: int, folder: Path) -> RunFigures:
    run_record = record.read_record(folder)
    events = [event for _, event in launch.read_events(folder)]
    steps = [e for e in events if e["event"] == "step"]
    last: dict[str, dict[str, Any]] = {e["event"]: e for e in events}
    if len(steps) < FEWEST_STEPS or "loaded" not in last or "finished" not in last:
        raise AdvisorError(
            f"too few steps to measure in {folder}: {len(steps)} (at least {FEWEST_STEPS} are needed)"
        )
    timed_steps = steps[WARM_UP_STEPS - 1 :]
    times = [b["time"] - a["time"] for a, b in pairwise(timed_steps)]
    quarters = statistics.quantiles(times, n=4)
    data = open_dataset(folder / "data").summary
    is_sft = run_record.spec["method"].get("objective", "sft") == "sft"  # others have another loss
    losses = (run_record.losses.get("held_out") or {}) if is_sft else {}
    packages = run_record.environment.get("packages") or {}
    loaded_stack = load_stack(stack)
    build_costs = environment.read_build_costs(version_lock.find_lock(folder, loaded_stack.lock))
    logits_check = folder / "gate.json"
    uses_gpu = run_record.spec["devices"]["kind"] == "cuda"
    return RunFigures(
        stack,
        seed,
        method=run_record.spec["method"]["name"],
        version=packages.get(stack, ""),
        started=run_record.started,
        seconds=_count_seconds(run_record),
        tokens_per_second=(timed_steps[-1]["tokens"] - timed_steps[0]["tokens"]) / sum(times),
        trained_tokens_per_second=(timed_steps[-1]["trained"] - timed_steps[0]["trained"]) / sum(times),
        step_seconds=statistics.median(times),
        step_spread=quarters[2] - quarters[0],
        first_step_seconds=_phase_seconds(events, steps[0]),
        speed_limit=_find_speed_limit(run_record, data),
        peak_bytes=last["finished"]["peak_gpu_bytes" if uses_gpu else "peak_rss_bytes"],
        device_peak_bytes=device_memory.read_peak_bytes(folder),
        install_seconds=build_costs.get("seconds", 0.0),
        install_bytes=build_costs.get("bytes", 0),
        packages=len(packages),
        held_out=losses.get("adapter"),
        base=losses.get("base"),
        first_loss=steps[0]["loss"],
        trainable=last["loaded"]["trainable"],
        tokens=steps[-1]["tokens"],
        trained_tokens=steps[-1]["trained"],
        losses=tuple(step["loss"] for step in steps if step["loss"] is not None),
        libraries={name: packages[name] for name in loaded_stack.required_packages if name in packages},
        input=(run_record.model["fingerprint"], data["train_sha256"], data["test_sha256"]),
        logits=dict(json.loads(logits_check.read_text("utf-8"))) if logits_check.is_file() else {},
    )


def _find_speed_limit(run_record: record.Record, summary: Mapping[str, Any]) -> float:
    """Return the limit of a run's speed on the GPUs in its record; 0 if it is unknown."""
    spec = RunSpec.model_validate(run_record.spec)
    gpus = (run_record.environment.get("machine") or {}).get("gpus") or ()
    if spec.devices.kind != "cuda" or not gpus:
        return 0.0
    model_config = base.read_model_config(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    shape, length = base.read_shape(model_config), summary["train_tokens"] / max(1, summary["train_rows"])
    cards = tuple(hardware.Gpu(gpu["name"], gpu["memory_bytes"], gpu["capability"]) for gpu in gpus)
    limit = roofline.predict_limit(shape, spec, length, cards) if shape else None
    return limit.tokens_per_second if limit else 0.0


def _count_seconds(run_record: record.Record) -> float:
    end = datetime.fromisoformat(run_record.ended or run_record.started)
    return (end - datetime.fromisoformat(run_record.started)).total_seconds()


def _phase_seconds(events: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds between the runner's events on its way to the first step."""
    phases = [e for e in events if e["event"] in ("started", "imported", "converted", "loaded")] + [first]
    names = {"imported": "import", "converted": "convert", "loaded": "load", "step": "first step"}
    pairs = pairwise(phases)
    return {names[b["event"]]: round(b["time"] - a["time"], 2) for a, b in pairs if b["event"] in names}


def find_reference(
    runs: Sequence[RunFigures], stacks: Sequence[str], seed: int, round_name: str
) -> RunFigures | None:
    """Return the run of the first stack that succeeded in this round, or in round A if none did."""
    for name in (round_name, "A"):
        successes = [r for r in runs if (r.seed, r.round) == (seed, name) and not r.reason]
        by_stack = {run.stack: run for run in reversed(successes)}
        if run := next((by_stack[stack] for stack in stacks if stack in by_stack), None):
            return run
    return None


def check_gates(run: RunFigures, reference: RunFigures | None) -> RunFigures:
    """Return the run with the results of its round's gates, compared with the reference."""
    if run.reason or reference is None:
        return run
    gates = {
        "input": tuple(run.input) == tuple(reference.input),
        "first loss": abs(run.first_loss - reference.first_loss) <= LOSS_TOLERANCE,
        "trainable": run.trainable == reference.trainable,
        "tokens": run.tokens == reference.tokens,
        "trained tokens": run.trained_tokens == reference.trained_tokens,
        "logits": bool(run.logits.get("passed")),
    }
    return replace(run, gates={name: gates[name] for name in GATES_OF_ROUND[run.round] if name in gates})
