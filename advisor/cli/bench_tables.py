"""What a bench says, as lines: figures over the seeds, run by run, phases, failures, noise floor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import TYPE_CHECKING

from advisor.report.markdown import _table as markdown_table
from advisor.report.text import table

if TYPE_CHECKING:
    from finetune.bench.figures import Measured
    from finetune.bench.run import Bench

_GIB = 2**30
PHASES = ("import", "convert", "load", "first step")
ROUNDS = {"A": "round A: equal settings", "B": "round B: each at its documented best"}
_SPREAD = "median (smallest–largest) over the seeds"


def lines(result: Bench, price: float | None) -> list[str]:
    """For a terminal: two tables a round, one of phases, and what did not count."""
    ran = [one for one in result.runs if not one.reason]
    told = [] if ran else ["no stack could be measured", ""]
    for turn, title in ROUNDS.items():
        mine = [one for one in ran if one.round == turn]
        if mine:
            told += [f"{title}; {_SPREAD}", *table(*over_seeds(mine, price)), ""]
            told += [*table(_HEAD, [_row(one) for one in mine]), ""]
    if ran:
        head = ["seconds to the first step", *PHASES, "in all"]
        told += [*table(head, [_phases(one) for one in ran]), ""]
    return [*told, *_words(result)]


def markdown(result: Bench, price: float | None) -> list[str]:
    """For a page: a table a round over the seeds, what did not count, and the machine."""
    from finetune.bench.rows import machine

    told = [f"{machine(result.machine)}; {result.date[:10]}; {_SPREAD}.", ""]
    for turn, title in ROUNDS.items():
        mine = [one for one in result.runs if one.round == turn and not one.reason]
        if mine:
            told += [
                f"{title[0].upper()}{title[1:]}:",
                "",
                *markdown_table(*over_seeds(mine, price)).splitlines(),
                "",
            ]
    return [*told, *(f"- {word}" for word in _words(result))]


def over_seeds(runs: Iterable[Measured], price: float | None) -> tuple[list[str], list[list[str]]]:
    """Header and a row a stack, of the runs that count."""
    from finetune.bench.run import cost_per_million

    columns: dict[str, Callable[[Measured], float]] = {
        "tokens/s": lambda one: one.tokens_per_second,
        "trained/s": lambda one: one.trained_tokens_per_second,
        "step s": lambda one: one.step_seconds,
        "peak GiB": lambda one: one.peak_bytes / _GIB,
        "first step s": lambda one: sum(one.first_step_seconds.values()),
    }
    if price is not None:
        columns["cost/M tokens"] = lambda one: cost_per_million(one.tokens_per_second, price)
    rows = []
    by_stack: dict[str, list[Measured]] = {}
    for one in runs:
        if one.counts and not one.again:
            by_stack.setdefault(one.stack, []).append(one)
    for stack, found in by_stack.items():
        figures = [_spread([read(one) for one in found]) for read in columns.values()]
        losses = _spread([one.held_out for one in found if one.held_out is not None], ".4f")
        rows.append([stack, found[0].version, str(len(found)), *figures, losses, _install(found[0])])
    return ["stack", "version", "seeds", *columns, "held-out loss", "environment"], rows


def _spread(values: list[float], form: str = ",.2f") -> str:
    if not values:
        return ""
    middle, low, high = (format(value, form) for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def _install(one: Measured) -> str:
    if not one.install_bytes:
        return "beside advisor"
    return f"{one.install_bytes / _GIB:.1f} GiB in {one.install_seconds:.0f} s"


def _words(result: Bench) -> list[str]:
    """What failed, what did not count, the noise floor, how long it took."""
    told = []
    for one in result.runs:
        broken = [gate for gate, passed in one.gates.items() if not passed]
        if one.reason:
            told.append(f"{_name(one)}, seed {one.seed}: failed: {one.reason}")
        elif broken:
            why = ", ".join(broken)
            told.append(f"{_name(one)}, seed {one.seed}: does not count, other work was done: {why}")
    if result.noise_floor is not None:
        told.append(f"noise floor: {result.noise_floor:.1%} between two runs of one stack; less says nothing")
    told.append("peak memory: the process's on a CPU, the allocator's (and the driver's) on a GPU")
    return [*told, f"{len(result.runs)} runs took {result.seconds / 60:.1f} minutes"]


_HEAD = ["run", "seed", "tokens/s", "trained/s", "step s (IQR)", "peak GiB", "first loss", "held-out loss"]


def _name(one: Measured) -> str:
    best = " at its best" if one.round == "B" else ""
    return one.stack + best + (" again" if one.again else "")


def _row(one: Measured) -> list[str]:
    loss = "" if one.held_out is None else f"{one.base:.4f} → {one.held_out:.4f}"
    device = f" ({one.device_peak_bytes / _GIB:.2f})" if one.device_peak_bytes else ""
    return [
        _name(one) + ("" if one.counts else " (!)"),
        str(one.seed),
        f"{one.tokens_per_second:,.1f}",
        f"{one.trained_tokens_per_second:,.1f}",
        f"{one.step_seconds:.2f} ({one.step_spread:.2f})",
        f"{one.peak_bytes / _GIB:.2f}{device}",
        f"{one.first_loss:.4f}",
        loss,
    ]


def _phases(one: Measured) -> list[str]:
    told = one.first_step_seconds
    each = [f"{told[name]:.1f}" if name in told else "" for name in PHASES]
    return [f"{_name(one)}, seed {one.seed}", *each, f"{sum(told.values()):.1f}"]
