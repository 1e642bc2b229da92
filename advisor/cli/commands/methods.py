"""advisor methods: the alphabet soup of fine-tuning, sorted."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="One method, in full.")] = None,
) -> None:
    """Say what LoRA, QLoRA, rsLoRA, DoRA, IA3, VeRA, RED, ReFT and the others change and cost.

    The column "run by" holds the --set that runs a method here; without one, nothing here does.
    """
    from rich.console import Console
    from rich.table import Table

    from advisor.errors import UnknownName
    from finetune.methods import METHODS

    chosen = [m for m in METHODS if name is None or name.lower() in m.name.lower()]
    if not chosen:
        raise UnknownName("method", str(name), [m.name for m in METHODS])
    if name is not None:
        for m in chosen:
            print(f"{m.name}: {m.changes}\n  paper:  {'arXiv ' + m.paper if m.paper else 'none'}")
            print(f"  memory: {m.memory}\n  run by: {'--set ' + m.runs if m.runs else 'nothing here'}")
            for stack, evidence in m.evidence.items():
                print(f"  {stack}: {evidence}")
            if m.remark:
                print(f"  remark: {m.remark}")
        return
    shown = Table(box=None, pad_edge=False)
    for title in ("method", "changes", "memory", "arXiv", "stacks", "run by"):
        shown.add_column(title, overflow="fold")
    for m in chosen:
        shown.add_row(m.name, m.changes, m.memory, m.paper, ", ".join(m.evidence) or "none", m.runs)
    Console().print(shown)
