"""advisor inspect: what a weight file or a folder of a model is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app


@app.command()
def inspect(path: Annotated[Path, typer.Argument(help="A weight file, or the folder of a model.")]) -> None:
    """Show what a weight file or a model folder is.

    Also shows what can read it and how to convert it. Loads no weights. A pickle is a program: its
    opcodes are checked against a list, and never run.

    Examples:
      advisor inspect FOLDER
      advisor inspect adapter_model.safetensors
    """
    from finetune.weights.checkpoints import describe_checkpoint

    checkpoint = describe_checkpoint(path)
    print(f"{path}: {checkpoint.kind}")
    if checkpoint.parameters is not None:
        shares = {name: count / checkpoint.parameters for name, count in checkpoint.dtypes.items()}
        dtypes = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        print(f"  parameters: {checkpoint.parameters:,} ({dtypes})")
    for name, value in checkpoint.details.items():
        print(f"  {name}: {value}")
    if checkpoint.readers:
        print(f"  read by: {checkpoint.readers}")
    if checkpoint.convert:
        print(f"  convert: {checkpoint.convert}")
    for warning in checkpoint.warnings:
        print(f"  careful: {warning}")
