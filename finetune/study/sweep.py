"""Train the same job with several settings, one run after another, and stop the hopeless ones early.

Every run has the same seed, so all train on the same rows in the same order, unless the sweep changes that.
Each run measures its held-out loss at the quarters of its training. From the half on, a run whose loss is
above the median of the earlier runs at the same quarter is stopped (the median stopping rule of Google's
Vizier, Golovin et al. 2017), if at least two earlier runs got that far. A stopped run keeps its checkpoint.
"""

from __future__ import annotations

import itertools
import statistics
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError, InputError, describe_unknown
from finetune import record, run
from finetune.callbacks import RunCallbacks
from finetune.data.dataset import count_sequences
from finetune.errors import SpecError, TrainingInterruption
from finetune.process import launch
from finetune.spec import ComposedSpec, RunSpec, iterate_leaves, override_fields
from finetune.study.earlier import ROUTINE_FIELDS, read_earlier_run

MOST_RUNS = 12
QUARTERS, FIRST_QUARTER = 4, 2
_EARLY_STOP = "stopped early"  # how the outcome of such a run begins
_FEWEST_RUNS = 2  # earlier runs that the median needs
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep: its settings, its folder, and why it did not finish (empty: it finished)."""

    settings: Settings
    folder: Path
    reason: str = ""


def parse_sweep(texts: Sequence[str], spec: RunSpec) -> list[dict[str, Any]]:
    """Return the settings of each run: all combinations of the values of ``FIELD=VALUE,VALUE``.

    Args:
        texts: one for each field; the last part of a field's name is enough if only one field has it.
        spec: a spec, whose fields a sweep can change.

    Raises:
        SpecError: a field does not exist, or there are too many runs.
    """
    columns: dict[str, list[Any]] = {}
    for text in texts:
        name, sign, values = text.partition("=")
        if not sign or not values.strip():
            raise SpecError(
                f"invalid --sweep {text!r}: expected FIELD=VALUE,VALUE, for example learning_rate=1e-4,2e-4"
            )
        field = _find_field(name.strip(), spec)
        if field in columns:
            raise SpecError(f"--sweep has {field} twice; write all values in one")
        columns[field] = list(dict.fromkeys(map(_freeze, _split_values(values))))
    combinations = [
        dict(zip(columns, values, strict=True)) for values in itertools.product(*columns.values())
    ]
    if len(combinations) > MOST_RUNS:
        sizes = " x ".join(str(len(values)) for values in columns.values())
        raise SpecError(f"--sweep has {sizes} = {len(combinations)} runs; at most {MOST_RUNS} are possible")
    return combinations


def _find_field(name: str, spec: RunSpec) -> str:
    fields = [field for field, _ in iterate_leaves(spec.model_dump()) if field not in ROUTINE_FIELDS]
    matches = [field for field in fields if field == name or field.rpartition(".")[2] == name]
    if len(matches) > 1:
        raise SpecError(f"--sweep {name} could be any of: {', '.join(matches)}; write the whole name")
    if not matches:
        raise SpecError(describe_unknown("field of --sweep", name, fields))
    return matches[0]


def _split_values(text: str) -> list[Any]:
    """Return the values as a TOML list has them, or each one as plain text."""
    try:
        return list(tomllib.loads(f"v = [{text}]")["v"])
    except tomllib.TOMLDecodeError:
        return [part.strip() for part in text.split(",")]


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def plan_sweep(
    composed_spec: ComposedSpec, combinations: Sequence[Settings], callbacks: RunCallbacks
) -> list[ComposedSpec]:
    """Return the spec of each run, after all checks of all runs.

    Raises:
        InputError: a run would not start; the message names its settings.
    """
    specs = []
    for settings in combinations:
        try:
            spec = override_fields(composed_spec, "--sweep", settings)
            plan = run.plan_run(spec, callbacks)
            run.refuse_data_errors(plan.findings)
        except InputError as error:
            raise SpecError(f"--sweep {describe_settings(settings)}: {error}") from None
        if plan.spec.evaluation.every_steps == 0 and plan.data.summary["test_rows"]:
            steps = plan.spec.count_steps(count_sequences(plan.data, plan.spec))
            spec = override_fields(spec, "--sweep", {"evaluation.every_steps": max(1, steps // QUARTERS)})
        specs.append(spec)
    return specs


def describe_settings(settings: Settings) -> str:
    """Return the settings of a run in one line."""
    return " ".join(f"{name.rpartition('.')[2]}={value}" for name, value in settings.items())


def run_sweep(
    composed_spec: ComposedSpec,
    combinations: Sequence[Settings],
    folder: Path | None,
    *,
    start: Callable[[ComposedSpec, RunCallbacks], Path],
    callbacks: RunCallbacks,
) -> list[SweepRun]:
    """Train all runs; one that fails or is stopped does not end the sweep.

    Args:
        composed_spec: the job.
        combinations: the settings of each run.
        folder: folder of the runs, ``run-1`` and so on, where a finished run does not run again and an
            interrupted one resumes; None: each run has a new folder in the user's folder of runs.
        start: starts a run and returns its folder.
        callbacks: called with stages and events.

    Raises:
        InputError: a run would not start.
        TrainingInterruption: the user stopped the sweep; finished runs stay.
    """
    specs = plan_sweep(composed_spec, combinations, callbacks)
    runs: list[SweepRun] = []
    losses: list[dict[int, float]] = []
    for number, (settings, spec) in enumerate(zip(combinations, specs, strict=True), 1):
        place = folder / f"run-{number}" if folder else record.create_run_folder(None, spec.spec.model.base)
        spec_of_run = override_fields(spec, "--sweep", {"output": str(place)})
        callbacks.on_stage(f"run {number} of {len(specs)}: {describe_settings(settings)}")
        try:
            runs.append(_run_one(settings, spec_of_run, place, losses, start, callbacks))
        except (TrainingInterruption, KeyboardInterrupt):
            raise TrainingInterruption(_describe_interruption(runs, combinations, folder)) from None
        losses.append(_read_quarters(place))
    return runs


def _run_one(
    settings: Settings,
    spec: ComposedSpec,
    folder: Path,
    losses: Sequence[Mapping[int, float]],
    start: Callable[[ComposedSpec, RunCallbacks], Path],
    callbacks: RunCallbacks,
) -> SweepRun:
    earlier_run = read_earlier_run(folder, spec.spec)
    if earlier_run is not None:
        if earlier_run.current_state == "finished":
            return SweepRun(settings, folder)
        if earlier_run.outcome.startswith(_EARLY_STOP):
            return SweepRun(settings, folder, earlier_run.outcome)
    stops: list[str] = []

    def on_event(event: dict[str, Any]) -> None:
        callbacks.on_event(event)
        if (
            event["event"] == "validated"
            and not stops
            and (reason := judge_progress(_read_quarters(folder), losses))
        ):
            stops.append(reason)
            (folder / "stop").touch()
            callbacks.on_stage(reason)

    own_callbacks = replace(callbacks, on_event=on_event)
    try:
        if earlier_run is None:
            start(spec, own_callbacks)
        else:
            run.resume_run(folder, own_callbacks)
    except TrainingInterruption:
        if not stops:
            raise
        run_record = record.read_record(folder)
        record.update_record(folder, run_record, outcome=stops[0])
        return SweepRun(settings, folder, stops[0])
    except AdvisorError as error:
        return SweepRun(settings, folder, str(error))
    return SweepRun(settings, folder)


def judge_progress(quarters: Mapping[int, float], earlier: Sequence[Mapping[int, float]]) -> str:
    """Return why a run is hopeless at its last quarter; empty if it is not.

    Args:
        quarters: quarter of the training → held-out loss of this run.
        earlier: the same of the earlier runs.
    """
    quarter = max(quarters, default=0)
    if not FIRST_QUARTER <= quarter < QUARTERS:
        return ""
    others = [losses[quarter] for losses in earlier if quarter in losses]
    if len(others) < _FEWEST_RUNS or quarters[quarter] <= (median := statistics.median(others)):
        return ""
    return (
        f"{_EARLY_STOP} after {quarter} of {QUARTERS} quarters: its held-out loss is "
        f"{quarters[quarter]:.4f}, and the median of {len(others)} earlier runs there is {median:.4f}"
    )


def _read_quarters(folder: Path) -> dict[int, float]:
    """Return quarter of the training → held-out loss there, from the events of a run."""
    quarters, steps = {}, 0
    for _, event in launch.read_events(folder):
        if event["event"] == "step":
            steps = event["steps"]
        elif event["event"] == "validated" and steps and event["loss"] is not None:
            quarters[round(QUARTERS * event["step"] / steps)] = float(event["loss"])
    quarters.pop(0, None)
    return quarters


def _describe_interruption(
    runs: Sequence[SweepRun], combinations: Sequence[Settings], folder: Path | None
) -> str:
    remaining = "; ".join(describe_settings(settings) for settings in combinations[len(runs) :])
    advice = f"run the same command with -o {folder} to resume" if folder else f"these remain: {remaining}"
    return f"stopped; {len(runs)} of {len(combinations)} runs are complete; {advice}"
