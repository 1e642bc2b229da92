"""Run the same job with released versions of one stack, and name the first one that does other work.

All versions get the same tokens, order, initial adapter, seed and settings, each in its own environment. The
oldest version that can be measured is the reference. Every other one passes the gates of round A and three
more, or it parts from the reference: the loss of each step, the held-out loss of the adapter, and the logits
that PEFT computes with it. The reference runs twice; if its second run fails a gate, the differences of the
others mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from advisor.errors import InputError
from finetune import record
from finetune.bench.figures import LOSS_TOLERANCE, RunFigures, check_gates
from finetune.bench.run import Bench, explain_interruption, measure_job
from finetune.callbacks import RunCallbacks
from finetune.errors import StackEnvironmentError
from finetune.machine import hardware
from finetune.process import version_lock
from finetune.stacks import Stack, load_stack
from finetune.stacks.shared import equivalence


def parse_versions(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the stack and the versions of a text such as ``trl==1.15.0,1.16.0``, the oldest version first.

    Raises:
        InputError: the text is not a stack with at least two versions.
        UnknownName: there is no such stack.
    """
    name, _, listing = text.partition("==")
    words = [word.strip() for word in listing.split(",") if word.strip()]
    try:
        versions = sorted({Version(word) for word in words})
    except InvalidVersion as error:
        raise InputError(f"invalid --parity {text!r}: {str(error).lower()}") from None
    stack = load_stack(name.strip())
    if len(versions) < 2:
        example = f"{stack.name}==1.15.0,1.16.0"
        raise InputError(f"invalid --parity {text!r}: expected at least two versions, such as {example}")
    return stack.name, tuple(map(str, versions))


def run_parity(
    job: Mapping[str, Any],
    stack_name: str,
    versions: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    *,
    callbacks: RunCallbacks,
    on_run: Callable[[RunFigures], None] = lambda _: None,
) -> Bench:
    """Run every version with every seed, and the reference once more.

    Args:
        job: fields of the spec that all runs share.
        stack_name: name of the stack.
        versions: its versions, the oldest one first.
        seeds: one run of every version for each.
        folder: folder of the runs, ``STACK-VERSION-SEED`` each; a finished run there
            does not run again.
        callbacks: called with stages and events.
        on_run: called with each finished run.

    Raises:
        TrainingInterruption: stopped; finished runs stay.
        RunError: another process uses the folder, or it contains something else.
    """
    stack = load_stack(stack_name)
    count = len(versions) * len(seeds) + 1
    runs: list[RunFigures] = []

    def run_version(version: str, seed: int, suffix: str = "") -> RunFigures:
        callbacks.on_stage(f"run {len(runs) + 1} of {count}: {stack_name} {version}{suffix}, seed {seed}")
        run = _run_version(job, stack, version, seed, folder, callbacks, suffix)
        on_run(run)
        return run

    with explain_interruption(runs, count, folder):
        for seed in seeds:
            for version in versions:
                runs.append(run_version(version, seed))
        reference = find_reference(runs, seeds[0])
        if reference is not None:
            runs.append(replace(run_version(reference.version, seeds[0], "-again"), again=True))
    results = tuple(_compare(run, find_reference(runs, run.seed), folder) for run in runs)
    date = max((run.started for run in results), default="") or record.utc_now()
    settings = {**job, "stack": stack_name}
    return Bench(results, None, settings, asdict(hardware.detect_machine()), date)


def _run_version(
    job: Mapping[str, Any],
    stack: Stack,
    version: str,
    seed: int,
    folder: Path,
    callbacks: RunCallbacks,
    suffix: str,
) -> RunFigures:
    try:
        version_lock.lock_version(stack.lock, version)
    except StackEnvironmentError as error:
        return RunFigures(stack.name, seed, round="V", version=version, reason=str(error))
    run_folder = folder / f"{stack.name}-{version}-{seed}{suffix}"
    values = {**job, "stack": stack.name, "training.seed": seed, "output": str(run_folder)}
    run = measure_job(run_folder, values, "V", callbacks, version)
    if run.version and Version(run.version) != Version(version):
        return replace(run, version=version, reason=f"its environment has {stack.name} {run.version}")
    return replace(run, version=version)


def find_reference(runs: Sequence[RunFigures], seed: int) -> RunFigures | None:
    """Return the first run with this seed that could be measured, which is that of the oldest version."""
    return next((run for run in runs if run.seed == seed and not run.reason and not run.again), None)


def _compare(run: RunFigures, reference: RunFigures | None, folder: Path) -> RunFigures:
    """Return the run with its differences from the reference and the results of its gates.

    That of the logits is a share of the largest one.
    """
    if run.reason or reference is None:
        return run
    logits = [_read_logits(folder, one) for one in (run, reference)]
    differences = measure_differences(run, reference)
    if logits[0] is not None and logits[1] is not None and logits[0].shape == logits[1].shape:
        scale = max(1.0, float(abs(logits[1]).max()))
        differences["adapter"] = float(abs(logits[0] - logits[1]).max()) / scale
    return check_parity(replace(run, differences=differences), reference)


def _read_logits(folder: Path, run: RunFigures) -> Any:
    """Return the logits of a run's adapter in PEFT (an array), or None if nobody computed them."""
    from safetensors.numpy import load_file

    name = f"{run.stack}-{run.version}-{run.seed}{'-again' if run.again else ''}"
    file = folder / name / equivalence.ADAPTER_LOGITS
    return load_file(file)["logits"] if file.is_file() else None


def measure_differences(run: RunFigures, reference: RunFigures) -> dict[str, float]:
    """Return the largest difference of a step's loss, and that of the held-out loss, where both have one."""
    differences = {}
    if run.losses and len(run.losses) == len(reference.losses):
        pairs = zip(run.losses, reference.losses, strict=True)
        differences["losses"] = max(abs(own - other) for own, other in pairs)
    if run.held_out is not None and reference.held_out is not None:
        differences["held-out loss"] = abs(run.held_out - reference.held_out)
    return differences


def check_parity(run: RunFigures, reference: RunFigures) -> RunFigures:
    """Return the run with the results of its gates; its differences are known.

    What only one of the two has, such as a held-out loss, is a failure; what neither has is no gate.
    """
    bounds = {
        "losses": LOSS_TOLERANCE,
        "held-out loss": LOSS_TOLERANCE,
        "adapter": float(reference.logits.get("tolerance", 0.0)),
    }
    gates = dict(check_gates(run, reference).gates)
    for name, bound in bounds.items():
        if name == "held-out loss" and run.held_out is None and reference.held_out is None:
            continue
        gates[name] = name in run.differences and run.differences[name] <= bound
    return replace(run, gates=gates)


def describe_parting(runs: Sequence[RunFigures]) -> str:
    """Return the sentence that names the first version that parts from the reference.

    Args:
        runs: all runs of a bench of versions, in its order: the oldest version first.
    """
    measured = [run for run in runs if not run.reason and not run.again]
    versions = [version for version in list_versions(runs) if version in {run.version for run in measured}]
    if len(versions) < 2:
        return "fewer than two versions could be measured, so there is nothing to compare"
    reference = f"{measured[0].stack} {versions[0]}"
    if any(run.again and run.gates and not run.counts for run in runs):
        return f"{reference} differs from itself in a second run, so no difference here means anything"
    for version in versions[1:]:
        version_runs = [run for run in measured if run.version == version]
        failures = [gate for run in version_runs for gate, is_passed in run.gates.items() if not is_passed]
        if failures:
            gates = ", ".join(dict.fromkeys(failures))
            name = f"{measured[0].stack} {version}"
            return f"{name} is the first version that parts from {versions[0]}, in: {gates}"
    same = ", ".join(versions[1:])
    return f"no version parts from {reference}: {same} did the same work within the bounds"


def describe_bounds() -> str:
    """Return the sentence about how large a difference may be."""
    shares = ", ".join(f"{bound:g} in {dtype}" for dtype, bound in equivalence.TOLERANCE.items())
    return (
        f"bounds: {LOSS_TOLERANCE} for the loss of each step and the held-out loss; for the logits, as a "
        f"share of the largest one: {shares}"
    )


def list_versions(runs: Sequence[RunFigures]) -> list[str]:
    """Return the versions of a bench in its order."""
    return list(dict.fromkeys(run.version for run in runs if not run.again))


def list_changed_libraries(run: RunFigures, reference: RunFigures) -> list[str]:
    """Return the other libraries of a run whose versions differ from the reference's."""
    return [
        f"{name} {version}"
        for name, version in run.libraries.items()
        if name != run.stack and version != reference.libraries.get(name)
    ]
