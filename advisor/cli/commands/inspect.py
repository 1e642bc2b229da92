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
    _print_line(f"{path}: {checkpoint.kind}")
    if checkpoint.parameters is not None:
        shares = {name: count / max(checkpoint.parameters, 1) for name, count in checkpoint.dtypes.items()}
        dtypes = ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "no tensors"
        _print_line(f"  parameters: {checkpoint.parameters:,} ({dtypes})")
    for name, value in checkpoint.details.items():
        _print_line(f"  {name}: {value}")
    if checkpoint.readers:
        _print_line(f"  read by: {checkpoint.readers}")
    if checkpoint.convert:
        _print_line(f"  convert: {checkpoint.convert}")
    for warning in checkpoint.warnings:
        _print_line(f"  careful: {warning}")


def _print_line(text: str) -> None:
    """Print one line without control characters: names of a file could hide or forge lines."""
    print(
        "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    )
