"""Where trackio and Weights & Biases write what a stack reports to them: on this machine.

A stack has no network and no tokens, so Weights & Biases writes its offline files, which `wandb sync` uploads
later.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from finetune.spec import RunSpec

PROJECT = "advisor"
_WANDB_FOLDER = "wandb"
_USER_VARIABLES = ("TRACKIO_DIR", "WANDB_PROJECT")


def build_variables(folder: Path, spec: RunSpec) -> Mapping[str, str]:
    """Return the variables that the tool of a run needs; nothing without one."""
    if spec.logging.report_to == "none":
        return {}
    user_values = {name: os.environ[name] for name in _USER_VARIABLES if name in os.environ}
    variables = {
        "WANDB_PROJECT": PROJECT,
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder),
        "WANDB_SILENT": "true",
    }
    return {**variables, **user_values}


def describe_next_step(folder: Path, report_to: str) -> str:
    """Return the command that shows what a run reported; empty without a tool."""
    if report_to == "wandb":
        return f"wandb sync {shlex.quote(str(folder / _WANDB_FOLDER))}/offline-run-*"
    return f"trackio show --project {PROJECT}" if report_to == "trackio" else ""
