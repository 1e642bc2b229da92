"""The results of a bench as rows of the `benchmarks` fact table: one row per stack and figure.

A ranking uses the two relative figures: a stack's speed and peak memory over those of trl in round A with the
same seed. Absolute figures depend on the machine as much as on the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

from finetune.bench.figures import RunFigures
from finetune.bench.run import Bench
from finetune.stacks import load_stack

REFERENCE = "trl"
# Figure → its unit, and how to read it from a run; None if it was not measured.
FIGURES: Mapping[str, tuple[str, Callable[[RunFigures], float | None]]] = {
    "tokens_per_second": ("tokens/s", lambda run: run.tokens_per_second),
    "trained_tokens_per_second": ("tokens/s", lambda run: run.trained_tokens_per_second),
    "peak_memory": ("bytes", lambda run: run.peak_bytes),
    "peak_device_memory": ("bytes", lambda run: run.device_peak_bytes or None),
    "time_to_first_step": ("s", lambda run: sum(run.first_step_seconds.values())),
    "install_time": ("s", lambda run: run.install_seconds or None),
    "install_size": ("bytes", lambda run: run.install_bytes or None),
    "held_out_loss": ("nats a token", lambda run: run.held_out),
}


def build_rows(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """Return repository → rows of the runs that count; advisor/facts/tables.py has the columns."""
    rows: dict[str, list[dict[str, Any]]] = {}
    # Round V has other versions than those that a user gets.
    valid_runs = [run for run in bench.runs if run.counts and not run.again and run.round != "V"]
    for name, round_name in sorted({(run.stack, run.round) for run in valid_runs}):
        stack_runs = [run for run in valid_runs if (run.stack, run.round) == (name, round_name)]
        common = {
            "repository": load_stack(name).repository,
            "day": bench.date[:10],
            "stack": name,
            "version": stack_runs[0].version,
            "setting": describe_setting(bench, round_name),
            "machine": describe_machine(bench.machine),
            "source": "advisor bench",
            "retrieved_at": bench.date[:10],
        }
        for figure, (unit, read) in FIGURES.items():
            values = [value for run in stack_runs if (value := read(run)) is not None]
            rows.setdefault(common["repository"], []).extend(_row(common, figure, unit, values, 0.0))
        for figure, read in (("relative_throughput", _speed), ("relative_peak_memory", _peak)):
            ratios = list(_compute_ratios(stack_runs, valid_runs, read))
            # The noise floor is the error of a speed, and so of the ratio of two speeds.
            noise = (bench.noise_floor or 0.0) if read is _speed else 0.0
            rows[common["repository"]] += _row(common, figure, f"times {REFERENCE}", ratios, noise)
    return rows


def describe_setting(bench: Bench, round_name: str) -> str:
    """Return one line that says what was trained and how."""
    settings = bench.settings
    model = str(settings.get("model.base", "?")).rstrip("/").rpartition("/")[2]
    batch = f"{settings.get('training.batch_size')} rows of at most {settings.get('data.max_length')} tokens"
    kind = settings.get("devices.kind") or ("cuda" if bench.machine["gpus"] else "cpu")
    method = f"{settings.get('method.name') or 'default method'} of rank {settings.get('method.r')}"
    return f"round {round_name}, {method}, {model}, {batch}, {kind}"


def describe_machine(machine: Mapping[str, Any]) -> str:
    """Return processor, cores, memory and GPUs in one line."""
    gpus = "".join(f", {gpu['name']}" for gpu in machine["gpus"])
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB{gpus}"
    )


def _speed(run: RunFigures) -> float:
    return run.tokens_per_second


def _peak(run: RunFigures) -> float:
    return float(run.peak_bytes)


def _compute_ratios(
    stack_runs: Iterable[RunFigures], all_runs: Iterable[RunFigures], read: Callable[[RunFigures], float]
) -> Iterable[float]:
    references = {run.seed: run for run in all_runs if run.stack == REFERENCE and run.round == "A"}
    for run in stack_runs:
        if run.seed in references and read(references[run.seed]) > 0:
            yield read(run) / read(references[run.seed])


def _row(
    common: Mapping[str, Any], figure: str, unit: str, values: list[float], noise: float
) -> list[dict[str, Any]]:
    if not values:
        return []
    low, high = min(values) * max(0.0, 1 - noise), max(values) * (1 + noise)
    return [
        {**common, "figure": figure, "unit": unit, "value": median(values), "low": low, "high": high},
    ]
