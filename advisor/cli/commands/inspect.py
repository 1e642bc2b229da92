"""advisor inspect: what is this file or folder?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app


@app.command()
def inspect(path: Annotated[Path, typer.Argument(help="A weight file, or a folder of a model.")]) -> None:
    """Say what a checkpoint is, what can read it and how to convert it. Nothing is loaded.

    Pickles are programs: their opcodes are read against a list, and never run.
    """
    from finetune.weights.checkpoints import describe

    found = describe(path)
    print(f"{path}: {found.kind}")
    if found.parameters is not None:
        kinds = ", ".join(f"{name} {count / found.parameters:.0%}" for name, count in found.dtypes.items())
        print(f"  parameters: {found.parameters:,} ({kinds})")
    for name, value in found.details.items():
        print(f"  {name}: {value}")
    if found.readers:
        print(f"  read by: {found.readers}")
    if found.convert:
        print(f"  convert: {found.convert}")
    for warning in found.warnings:
        print(f"  careful: {warning}")
