"""What libraries claim in their own words, what third parties published, and what was measured here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advisor.domain.files import data_folder

if TYPE_CHECKING:
    from advisor.model import Benchmark


def lines(measured: Sequence[Benchmark]) -> list[str]:
    """Three kinds of lines a claim.

    Args:
        measured: figures of benches, newest first; those relative to a plain run of trl are used.
    """
    told = tomllib.loads((data_folder() / "claims.toml").read_text("utf-8"))
    lines_ = []
    for claim in told["claim"]:
        lines_ += [f"{claim['stack']} ({claim['date']}): “{claim['says']}”", f"  {claim['source']}"]
        lines_ += [
            f"  published by others: {p['result']} ({p['setup']}; {p['source']})" for p in claim["published"]
        ]
        lines_ += [f"  measured here: {word}" for word in _here(claim, measured)]
    return lines_


def _here(claim: Mapping[str, Any], measured: Iterable[Benchmark]) -> list[str]:
    """The claiming stack, at its best where that was measured, over a plain run of the other."""
    mine = [b for b in measured if b.stack == claim["stack"]]
    best = [b for b in mine if b.setting.startswith("round B")]
    mine = best if best or claim["stack"] == claim["against"] else mine
    mine = [b for b in mine if b.day == max(one.day for one in mine)]
    if not mine:
        where = " at its best" if claim["stack"] == claim["against"] else ""
        return [f"nothing that counts for {claim['stack']}{where}; `advisor bench --rounds AB` measures"]
    figures = {(b.setting, b.machine, b.figure): b for b in mine}
    told = []
    for setting, machine in dict.fromkeys((b.setting, b.machine) for b in mine):
        speed = figures.get((setting, machine, "relative_throughput"))
        peak = figures.get((setting, machine, "relative_peak_memory"))
        if speed is not None and peak is not None:
            range_ = f"{speed.low:.2f}–{speed.high:.2f}"
            times = f"{speed.value:.2f} ({range_}) times the speed of {claim['against']}"
            memory = f"{peak.value:.2f} times its peak memory"
            told.append(f"{times}, {memory} ({setting}; {machine}; {speed.day})")
    return told or [f"no number that counts for {claim['against']}, to set {claim['stack']} beside"]
