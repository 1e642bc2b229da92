"""What a bench measured, as rows of the `benchmarks` fact table: one row a figure of a stack.

The two relative figures are what a ranking counts: a stack's speed and peak over those of trl in the same
round with the same seed, since absolute ones say as much about the machine as about the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

from finetune.bench.figures import RunFigures
from finetune.bench.run import Bench
from finetune.stacks import load_stack

REFERENCE = "trl"
# Figure → its unit, and how it is read off a run; None: it was not measured.
FIGURES: Mapping[str, tuple[str, Callable[[RunFigures], float | None]]] = {
    "tokens_per_second": ("tokens/s", lambda one: one.tokens_per_second),
    "trained_tokens_per_second": ("tokens/s", lambda one: one.trained_tokens_per_second),
    "peak_memory": ("bytes", lambda one: one.peak_bytes),
    "peak_device_memory": ("bytes", lambda one: one.device_peak_bytes or None),
    "time_to_first_step": ("s", lambda one: sum(one.first_step_seconds.values())),
    "install_time": ("s", lambda one: one.install_seconds or None),
    "install_size": ("bytes", lambda one: one.install_bytes or None),
    "held_out_loss": ("nats a token", lambda one: one.held_out),
}


def build_rows(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """Repository → rows of the runs whose numbers count; see advisor/facts/tables.py for the columns."""
    found: dict[str, list[dict[str, Any]]] = {}
    counted = [one for one in bench.runs if one.counts and not one.again]
    for name, turn in sorted({(one.stack, one.round) for one in counted}):
        mine = [one for one in counted if (one.stack, one.round) == (name, turn)]
        common = {
            "repository": load_stack(name).repository,
            "day": bench.date[:10],
            "stack": name,
            "version": mine[0].version,
            "setting": describe_setting(bench, turn),
            "machine": describe_machine(bench.machine),
            "source": "advisor bench",
            "retrieved_at": bench.date[:10],
        }
        for figure, (unit, read) in FIGURES.items():
            values = [value for one in mine if (value := read(one)) is not None]
            found.setdefault(common["repository"], []).extend(_row(common, figure, unit, values, 0.0))
        for figure, read in (("relative_throughput", _speed), ("relative_peak_memory", _peak)):
            ratios = list(_ratios(mine, counted, read))
            # Two speeds closer than the noise floor cannot be told apart, so neither can their ratio.
            noise = (bench.noise_floor or 0.0) if read is _speed else 0.0
            found[common["repository"]] += _row(common, figure, f"times {REFERENCE}", ratios, noise)
    return found


def describe_setting(bench: Bench, turn: str) -> str:
    """What was trained and how, in a line."""
    told = bench.settings
    model = str(told.get("model.base", "?")).rstrip("/").rpartition("/")[2]
    batch = f"{told.get('training.batch_size')} rows of at most {told.get('data.max_length')} tokens"
    kind = told.get("devices.kind") or ("cuda" if bench.machine["gpus"] else "cpu")
    method = f"{told.get('method.name') or 'default method'} of rank {told.get('method.r')}"
    return f"round {turn}, {method}, {model}, {batch}, {kind}"


def describe_machine(told: Mapping[str, Any]) -> str:
    """Processor, cores, memory and GPUs in a line."""
    gpus = "".join(f", {one['name']}" for one in told["gpus"])
    return f"{told['processor']}, {told['cores']} cores, {told['memory_bytes'] / 2**30:.0f} GiB{gpus}"


def _speed(one: RunFigures) -> float:
    return one.tokens_per_second


def _peak(one: RunFigures) -> float:
    return float(one.peak_bytes)


def _ratios(
    mine: Iterable[RunFigures], everybody: Iterable[RunFigures], read: Callable[[RunFigures], float]
) -> Iterable[float]:
    plain = {one.seed: one for one in everybody if one.stack == REFERENCE and one.round == "A"}
    for one in mine:
        if one.seed in plain and read(plain[one.seed]) > 0:
            yield read(one) / read(plain[one.seed])


def _row(
    common: Mapping[str, Any], figure: str, unit: str, values: list[float], noise: float
) -> list[dict[str, Any]]:
    if not values:
        return []
    low, high = min(values) * (1 - noise), max(values) * (1 + noise)
    return [
        {**common, "figure": figure, "unit": unit, "value": median(values), "low": low, "high": high},
    ]
