"""What a bench says, as lines: figures, phases, failures, noise floor; claims beside what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.bench import Bench, Measured

_GIB = 2**30
PHASES = ("import", "convert", "load", "first step")
ROUNDS = {"A": "round A: equal settings", "B": "round B: each at its documented best"}


def lines(result: Bench, price: float | None) -> list[str]:
    """A table a round and one of phases, the gates that did not hold, and the noise floor."""
    from advisor.report.text import table

    ran = [one for one in result.runs if not one.reason]
    told = []
    for name, title in ROUNDS.items():
        mine = [one for one in ran if one.round == name]
        if mine:
            told += [title, *table(_head(price), [_row(one, price) for one in mine]), ""]
            told += [*_over_seeds(mine), ""]
    if ran:
        head = ["seconds to the first step", *PHASES, "in all"]
        told += [*table(head, [_phases(one) for one in ran]), ""]
    else:
        told = ["no stack could be measured"]
    told += [f"{_name(one)}, seed {one.seed}: failed: {one.reason}" for one in result.runs if one.reason]
    for one in result.runs:
        broken = [gate for gate, passed in one.gates.items() if not passed]
        if broken:
            why = ", ".join(broken)
            told.append(f"{_name(one)}, seed {one.seed}: does not count, other work was done: {why}")
    if result.noise_floor is not None:
        told.append(f"noise floor: {result.noise_floor:.1%} between two runs of one stack; less says nothing")
    return [*told, "peak memory: the process's on a CPU, the allocator's (and the driver's) on a GPU"]


def _head(price: float | None) -> list[str]:
    head = ["stack", "version", "seed", "tokens/s", "trained/s", "step s (IQR)", "peak GiB", "install"]
    return [*head, "held-out loss", *(["cost/M tokens"] if price is not None else [])]


def _name(one: Measured) -> str:
    best = " at its best" if one.round == "B" else ""
    return one.stack + best + (" again" if one.again else "")


def _row(one: Measured, price: float | None) -> list[str]:
    from finetune.bench import cost_per_million

    loss = "" if one.held_out is None else f"{one.base:.4f} → {one.held_out:.4f}"
    size = f"{one.install_bytes / _GIB:.1f} GiB, {one.install_seconds:.0f} s"
    device = f" ({one.device_peak_bytes / _GIB:.2f})" if one.device_peak_bytes else ""
    row = [
        one.stack + (" again" if one.again else "") + ("" if one.counts else " (!)"),
        one.version,
        str(one.seed),
        f"{one.tokens_per_second:,.1f}",
        f"{one.trained_tokens_per_second:,.1f}",
        f"{one.step_seconds:.2f} ({one.step_spread:.2f})",
        f"{one.peak_bytes / _GIB:.2f}{device}",
        size if one.install_bytes else "beside advisor",
        loss,
    ]
    return row + ([f"{cost_per_million(one.tokens_per_second, price):.2f}"] if price is not None else [])


def _over_seeds(runs: Iterable[Measured]) -> list[str]:
    """Median speed and peak of each stack over its seeds, with smallest and largest."""
    by_stack: dict[str, list[Measured]] = {}
    for one in runs:
        if one.counts and not one.again:
            by_stack.setdefault(one.stack, []).append(one)
    told = []
    for stack, found in by_stack.items():
        if len(found) > 1:
            speeds = [one.tokens_per_second for one in found]
            peaks = [one.peak_bytes / _GIB for one in found]
            told.append(
                f"{stack}, {len(found)} seeds: {median(speeds):,.1f} tokens/s ({min(speeds):,.1f}–"
                f"{max(speeds):,.1f}), peak {median(peaks):.2f} GiB ({min(peaks):.2f}–{max(peaks):.2f})"
            )
    return told


def _phases(one: Measured) -> list[str]:
    told = one.first_step_seconds
    each = [f"{told[name]:.1f}" if name in told else "" for name in PHASES]
    return [f"{_name(one)}, seed {one.seed}", *each, f"{sum(told.values()):.1f}"]


def claim_lines(result: Bench | None) -> list[str]:
    """What the libraries claim in their own words, what third parties published, what was measured here."""
    import tomllib

    from advisor.domain import data_folder

    told = tomllib.loads((data_folder() / "claims.toml").read_text("utf-8"))
    lines_ = []
    for claim in told["claim"]:
        lines_ += [f"{claim['stack']} ({claim['date']}): “{claim['says']}”", f"  {claim['source']}"]
        lines_ += [
            f"  published by others: {p['result']} ({p['setup']}; {p['source']})" for p in claim["published"]
        ]
        lines_.append(f"  measured here: {_here(claim, result)}")
    return lines_


def _here(claim: Mapping[str, Any], result: Bench | None) -> str:
    """The claiming stack, at its best where that was measured, over the plain run of the other."""
    if result is None:
        return "nothing yet; advisor bench --claims -o FOLDER measures"
    counted = [one for one in result.runs if one.counts and not one.again]
    best = [one for one in counted if (one.stack, one.round) == (claim["stack"], "B")]
    mine = best or [one for one in counted if one.stack == claim["stack"]]
    plain = [one for one in counted if (one.stack, one.round) == (claim["against"], "A")]
    if claim["stack"] == claim["against"] and not best:
        return f"no run of {claim['stack']} at its best that counts; --rounds AB makes one"
    if not mine or not plain:
        lacking = [claim["stack"]] if not mine else []
        return f"no number that counts for {' and '.join([*lacking, *([] if plain else [claim['against']])])}"
    speed = median(one.tokens_per_second for one in mine) / median(one.tokens_per_second for one in plain)
    peak = median(one.peak_bytes for one in mine) / max(1, median(one.peak_bytes for one in plain))
    noise = f", noise floor {result.noise_floor:.1%}" if result.noise_floor is not None else ""
    how = "at its best, " if best else ""
    return (
        f"{how}{speed:.2f} times the speed of {claim['against']}, {peak:.2f} times its peak memory "
        f"({result.machine['processor']}{noise})"
    )
