"""The findings about training data, printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from finetune.data.findings import Finding


def findings(console: Console, found: Sequence[Finding]) -> None:
    """One paragraph a finding."""
    colours = {"error": "bold red", "warning": "yellow", "note": "dim"}
    for f in found:
        console.print(f"[{colours[f.severity]}]{f.severity}[/] {f.code}: ", end="")
        console.print(f"{f.what} ({f.where})", markup=False, highlight=False)
        console.print(f"    why: {f.why}\n    do:  {f.remedy}", style="dim", markup=False, highlight=False)
