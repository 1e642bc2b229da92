"""advisor methods: the fine-tuning methods, what each changes and costs, and what runs it."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app, completion


@app.command()
def methods(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Part of a method's name: show all about these methods.",
            autocompletion=completion.training_methods,
        ),
    ] = None,
) -> None:
    """Show what LoRA, QLoRA, DoRA and other methods change.

    Also shows what each method costs and which stacks have it. The column "run by" is the value of --set
    that trains with the method; an empty one means that advisor cannot train with it.

    Examples:
      advisor methods
      advisor methods dora
    """
    from rich.console import Console
    from rich.table import Table

    from advisor.errors import UnknownName
    from finetune.methods import METHODS

    matches = [method for method in METHODS if name is None or name.lower() in method.name.lower()]
    if not matches:
        raise UnknownName("method", str(name), [method.name for method in METHODS])
    if name is not None:
        for method in matches:
            print(f"{method.name}: {method.changes}")
            print(f"  paper:  {'arXiv ' + method.paper if method.paper else 'none'}")
            print(f"  memory: {method.memory}")
            print(f"  run by: {'--set ' + method.runs if method.runs else 'nothing here'}")
            for stack, evidence in method.evidence.items():
                print(f"  {stack}: {evidence}")
            if method.remark:
                print(f"  remark: {method.remark}")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("method", "changes", "memory", "arXiv", "stacks", "run by"):
        table.add_column(title, overflow="fold")
    for method in matches:
        stacks = ", ".join(method.evidence) or "none"
        table.add_row(method.name, method.changes, method.memory, method.paper, stacks, method.runs)
    Console().print(table)
