"""Describe a checkpoint from its bytes and names; loads no weights, runs no pickle."""

from __future__ import annotations

from pathlib import Path

from finetune.errors import ModelError
from finetune.weights.description import CheckpointDescription
from finetune.weights.model_folders import describe_folder
from finetune.weights.weight_files import READ_ERRORS, describe_file


def describe_checkpoint(path: Path) -> CheckpointDescription:
    """Describe a checkpoint file or folder.

    Raises:
        ModelError: the path does not exist, is damaged, or has an unknown format.
    """
    if not path.exists():
        raise ModelError(f"{path} does not exist")
    try:
        return describe_folder(path) if path.is_dir() else describe_file(path)
    except READ_ERRORS as error:
        raise ModelError(f"{path} is damaged, or its format does not match its name: {error}") from None
