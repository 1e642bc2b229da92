"""Claims of libraries about speed and memory, beside what others published and what was measured here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advisor.domain.files import data_folder

if TYPE_CHECKING:
    from advisor.model import Benchmark


def format_claims(benchmarks: Sequence[Benchmark]) -> list[str]:
    """Return for each claim its words and source, the results of others, and the figures of this machine.

    Args:
        benchmarks: figures of benches; the newest ones that are relative to a plain run of trl count.
    """
    claims = tomllib.loads((data_folder() / "claims.toml").read_text("utf-8"))["claim"]
    lines = []
    for claim in claims:
        lines += [f"{claim['stack']} ({claim['date']}): “{claim['says']}”", f"  {claim['source']}"]
        lines += [
            f"  published by others: {p['result']} ({p['setup']}; {p['source']})" for p in claim["published"]
        ]
        lines += [f"  measured here: {text}" for text in _compare(claim, benchmarks)]
    return lines


def _compare(claim: Mapping[str, Any], benchmarks: Iterable[Benchmark]) -> list[str]:
    """Return the stack of the claim, at its best where that was measured, over a plain run of the other."""
    rows = [b for b in benchmarks if b.stack == claim["stack"]]
    best = [b for b in rows if b.setting.startswith("round B")]
    rows = best if best or claim["stack"] == claim["against"] else rows
    rows = [b for b in rows if b.day == max(row.day for row in rows)]
    if not rows:
        stack = claim["stack"] + (" at its best" if claim["stack"] == claim["against"] else "")
        return [f"no number of {stack} that counts; measure it with `advisor bench --rounds AB`"]
    figures = {(b.setting, b.machine, b.figure): b for b in rows}
    lines = []
    for setting, machine in dict.fromkeys((b.setting, b.machine) for b in rows):
        speed = figures.get((setting, machine, "relative_throughput"))
        peak = figures.get((setting, machine, "relative_peak_memory"))
        if speed is not None and peak is not None:
            span = f"{speed.low:.2f}–{speed.high:.2f}"
            times = f"{speed.value:.2f} ({span}) times the speed of {claim['against']}"
            memory = f"{peak.value:.2f} times its peak memory"
            lines.append(f"{times}, {memory} ({setting}; {machine}; {speed.day})")
    return lines or [f"no number of {claim['against']} that counts, to compare {claim['stack']} with"]
