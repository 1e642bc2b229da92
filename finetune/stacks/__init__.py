"""The stacks that can train: one file per stack, and the Protocol that each file follows.

Every file in this folder is a stack. A stack gets the resolved spec and a `Job` (a folder with `input_ids`
and `labels`, and where to write). It renders its native config, returns the command that trains, and exports
a PEFT adapter. It runs in its own process and environment and reports through `events.jsonl` (see
`finetune.runners.emit`). It honours each field of the spec, refuses it (`UnsupportedField`) or records a
deviation. `COMMON_FIELDS` lists the fields that finetune handles itself, before or after a stack runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

from advisor.errors import UnknownName
from finetune.spec import RunSpec

STACKS = tuple(sorted(module.name for module in iter_modules(__path__) if not module.ispkg))

COMMON_FIELDS: Mapping[str, str] = {
    "stack": "advisor selects the stack",
    "data.train": "advisor tokenises the rows",
    "data.evaluation": "advisor tokenises the held-out rows",
    "data.evaluation_share": "advisor splits the rows",
    "data.format": "advisor reads the rows",
    "data.template": "advisor renders the rows; the stack saves the template with the tokenizer",
    "data.too_long": "advisor truncates or drops long rows",
    "data.loss_on": "advisor sets the labels",
    "data.misfits": "advisor refuses or skips invalid rows",
    "data.ignored_columns": "advisor does not read these columns",
    "evaluation.rows": "advisor evaluates the adapter on these rows",
    "evaluation.generations": "advisor generates the answers",
    "evaluation.max_new_tokens": "advisor generates the answers",
    "evaluation.metrics": "advisor judges the answers",
    "output": "advisor creates the run's folder",
}


@dataclass(frozen=True)
class Job:
    """What a stack gets for one run.

    Attributes:
        folder: the run's folder; the stack may only write into ``native/`` and ``work/``.
        data: folder with ``train.jsonl`` and ``test.jsonl`` of ``input_ids`` and ``labels``.
        base: folder of the base model, or its hub id.
        template: Jinja file of the chat template, if the run names one.
        steps: optimiser steps of the whole run.
        warmup_steps: how many of them are warm-up.
        rows, test_rows: number of rows to train on (with packing: of sequences) and to validate on.
        resume_from: checkpoint to resume from.
    """

    folder: Path
    data: Path
    base: str
    template: Path | None
    steps: int
    warmup_steps: int
    rows: int
    test_rows: int
    resume_from: Path | None = None

    @property
    def native(self) -> Path:
        """Folder of the native config."""
        return self.folder / "native"

    @property
    def work(self) -> Path:
        """Folder of the stack's checkpoints."""
        return self.folder / "work"


@dataclass(frozen=True)
class NativeConfig:
    """A stack's config: file name → text, and where it deviates from the spec."""

    files: Mapping[str, str]
    deviations: tuple[str, ...] = ()


class Stack(Protocol):
    """What each file of this folder defines.

    Attributes:
        name: its name in the spec.
        repository: its owner/name in the recommendation.
        lock: lock file of its environment.
        required_packages: packages that advisor's own environment needs to run the stack.
    """

    name: str
    repository: str
    lock: Path
    required_packages: tuple[str, ...]

    def render(self, spec: RunSpec, job: Job) -> NativeConfig:
        """Return the native config.

        Raises:
            UnsupportedField: the stack cannot honour a field.
        """

    def command(self, python: Path, spec: RunSpec, job: Job) -> list[str]:
        """Return the command that trains, with the interpreter of the stack's environment."""

    def environment(self, spec: RunSpec) -> Mapping[str, str]:
        """Return the environment variables that the command needs."""

    def export_adapter(self, spec: RunSpec, job: Job) -> Path:
        """Return the folder of the trained adapter in PEFT's format (a whole model for ``full``).

        Raises:
            TrainingError: it is missing, although the process succeeded.
        """


def load_stack(name: str) -> Stack:
    """Return the stack with this name.

    Raises:
        UnknownName: there is no such stack.
    """
    if name not in STACKS:
        raise UnknownName("stack", name, list(STACKS))
    return cast("Stack", import_module(f"finetune.stacks.{name}"))
