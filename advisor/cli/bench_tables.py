"""The result of `advisor bench` as text and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from advisor.report.tables import markdown_table, text_table

if TYPE_CHECKING:
    from finetune.bench.figures import RunFigures
    from finetune.bench.run import Bench

_GIB = 2**30
_PHASES = ("import", "convert", "load", "first step")
_ROUNDS = {"A": "round A: equal settings", "B": "round B: each stack at its documented best"}
_SPREAD = "median (smallest–largest) over the seeds"
_VERSION_HEADER = [
    "version", "seed", "first loss", "last loss", "held-out loss", "Δ losses", "Δ held-out", "Δ logits",
    "parts in", "other libraries"
]  # fmt: skip
_RUN_HEADER = [
    "run", "seed", "tokens/s", "trained/s", "step s (IQR)", "peak GiB", "first loss", "held-out loss"
]  # fmt: skip


def format_text(bench: Bench, price: float | None) -> list[str]:
    """Return two tables for each round, a table of phases, and the notes.

    Args:
        bench: all runs.
        price: of an hour of the machine, for the cost of a million tokens; None: no such column.
    """
    if is_parity(bench):
        return [*text_table(_VERSION_HEADER, _list_versions(bench)), "", *_format_parity_notes(bench)]
    runs = [run for run in bench.runs if not run.reason]
    lines = [] if runs else ["no stack could be measured", ""]
    for round_, title in _ROUNDS.items():
        runs_of_round = [run for run in runs if run.round == round_]
        if runs_of_round:
            lines += [f"{title}; {_SPREAD}", *text_table(*_summarise_seeds(runs_of_round, price)), ""]
            lines += [*text_table(_RUN_HEADER, [_format_run(run) for run in runs_of_round]), ""]
    if runs:
        header = ["seconds to the first step", *_PHASES, "total"]
        lines += [*text_table(header, [_format_phases(run) for run in runs]), ""]
    return [*lines, *_format_notes(bench)]


def format_markdown(bench: Bench, price: float | None) -> list[str]:
    """Return the machine, a table for each round, and the notes; ``price`` as in `format_text`."""
    from finetune.bench.rows import describe_machine, describe_setting

    if is_parity(bench):
        table = markdown_table(_VERSION_HEADER, _list_versions(bench)).splitlines()
        place = f"{describe_machine(bench.machine)}; {bench.date[:10]}; {describe_setting(bench, 'V')}."
        return [place, "", *table, "", *(f"- {note}" for note in _format_parity_notes(bench))]
    lines = [f"{describe_machine(bench.machine)}; {bench.date[:10]}; {_SPREAD}.", ""]
    for round_, title in _ROUNDS.items():
        runs = [run for run in bench.runs if run.round == round_ and not run.reason]
        if runs:
            table = markdown_table(*_summarise_seeds(runs, price)).splitlines()
            lines += [f"{title[0].upper()}{title[1:]}:", "", *table, ""]
    return [*lines, *(f"- {note}" for note in _format_notes(bench))]


def _summarise_seeds(runs: Sequence[RunFigures], price: float | None) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each stack, over its runs that count."""
    from finetune.bench.run import cost_per_million

    columns: dict[str, Callable[[RunFigures], float]] = {
        "tokens/s": lambda run: run.tokens_per_second,
        "trained/s": lambda run: run.trained_tokens_per_second,
        "step s": lambda run: run.step_seconds,
        "peak GiB": lambda run: run.peak_bytes / _GIB,
        "first step s": lambda run: sum(run.first_step_seconds.values()),
    }
    if any(run.speed_limit for run in runs):
        columns["% of limit"] = lambda run: 100 * (run.share_of_limit or 0)
    if price is not None:
        columns["cost/M tokens"] = lambda run: cost_per_million(run.tokens_per_second, price)
    by_stack: dict[str, list[RunFigures]] = {}
    for run in runs:
        if run.counts and not run.again:
            by_stack.setdefault(run.stack, []).append(run)
    rows = []
    for stack, group in by_stack.items():
        figures = [_format_spread([read(run) for run in group]) for read in columns.values()]
        losses = _format_spread([run.held_out for run in group if run.held_out is not None], ".4f")
        rows.append([stack, group[0].version, str(len(group)), *figures, losses, _format_install(group[0])])
    return ["stack", "version", "seeds", *columns, "held-out loss", "environment"], rows


def _format_spread(values: list[float], form: str = ",.2f") -> str:
    if not values:
        return ""
    middle, low, high = (format(value, form) for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def _format_install(run: RunFigures) -> str:
    if not run.install_bytes:
        return "beside advisor"
    return f"{run.install_bytes / _GIB:.1f} GiB in {run.install_seconds:.0f} s"


def _format_notes(bench: Bench) -> list[str]:
    """Return what failed, what does not count or looks wrong, the noise floor and the total time."""
    notes = []
    for run in bench.runs:
        if run.doubt:
            notes.append(f"{_name(run)}, seed {run.seed}: {run.doubt}")
        failures = [gate for gate, is_passed in run.gates.items() if not is_passed]
        if run.reason:
            notes.append(f"{_name(run)}, seed {run.seed}: failed: {run.reason}")
        elif failures:
            gates = ", ".join(failures)
            notes.append(
                f"{_name(run)}, seed {run.seed}: does not count, because its work differs in: {gates}"
            )
    if bench.noise_floor is not None:
        notes.append(
            f"noise floor: {bench.noise_floor:.1%} between two runs of one stack; "
            "a smaller difference means nothing"
        )
    notes.append("peak memory: of the process on a CPU, of the allocator (and of the driver) on a GPU")
    return [*notes, f"{len(bench.runs)} runs took {bench.seconds / 60:.1f} minutes"]


def _name(run: RunFigures) -> str:
    best = " at its best" if run.round == "B" else ""
    return run.stack + best + (" again" if run.again else "")


def is_parity(bench: Bench) -> bool:
    """Return whether a bench compares versions of one stack."""
    return any(run.round == "V" for run in bench.runs)


def _list_versions(bench: Bench) -> list[list[str]]:
    """Return a row for each run of each version."""
    from finetune.bench.parity import find_reference, list_changed_libraries

    rows = []
    for run in bench.runs:
        reference = find_reference(bench.runs, run.seed)
        name = f"{run.version}{' again' if run.again else ''}"
        if run.reason or reference is None:
            rows.append([name, str(run.seed), *[""] * 6, "not measured", ""])
            continue
        failures = [gate for gate, is_passed in run.gates.items() if not is_passed]
        differences = [run.differences.get(key) for key in ("losses", "held-out loss", "adapter")]
        is_reference = run == reference
        rows.append([
            name,
            str(run.seed),
            f"{run.first_loss:.4f}",
            f"{run.losses[-1]:.4f}" if run.losses else "",
            "" if run.held_out is None else f"{run.held_out:.4f}",
            *("" if is_reference or value is None else _format_difference(value) for value in differences),
            "the reference" if is_reference else ", ".join(failures) or "nothing",
            ", ".join(list_changed_libraries(run, reference)) or "the same",
        ])  # fmt: skip
    return rows


def _format_difference(value: float) -> str:
    return f"{value:.1e}" if value else "0"


def _format_parity_notes(bench: Bench) -> list[str]:
    """Return the first version that parts, the bounds, the reasons of what failed, and the total time."""
    from finetune.bench.parity import describe_bounds, describe_parting

    notes = [describe_parting(bench.runs), describe_bounds()]
    notes += [f"{run.stack} {run.version}, seed {run.seed}: {run.reason}" for run in bench.runs if run.reason]
    return [*notes, f"{len(bench.runs)} runs took {bench.seconds / 60:.1f} minutes"]


def _format_run(run: RunFigures) -> list[str]:
    loss = "" if None in (run.base, run.held_out) else f"{run.base:.4f} → {run.held_out:.4f}"
    device = f" ({run.device_peak_bytes / _GIB:.2f})" if run.device_peak_bytes else ""
    return [
        _name(run) + ("" if run.counts else " (!)"),
        str(run.seed),
        f"{run.tokens_per_second:,.1f}",
        f"{run.trained_tokens_per_second:,.1f}",
        f"{run.step_seconds:.2f} ({run.step_spread:.2f})",
        f"{run.peak_bytes / _GIB:.2f}{device}",
        f"{run.first_loss:.4f}",
        loss,
    ]


def _format_phases(run: RunFigures) -> list[str]:
    seconds = run.first_step_seconds
    cells = [f"{seconds[phase]:.1f}" if phase in seconds else "" for phase in _PHASES]
    return [f"{_name(run)}, seed {run.seed}", *cells, f"{sum(seconds.values()):.1f}"]
