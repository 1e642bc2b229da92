"""The stacks that can train, one file each, found by being here, and the Protocol that each of them keeps.

The seam: a stack gets the resolved spec and a `Job` (a folder with `input_ids` and `labels`, and where
to write), renders its own native config, says which command runs it, and gives back a PEFT adapter.
It runs as a process of its own in an environment of its own and reports through `events.jsonl` (see
`finetune.runners.emit`). A field of the spec is honoured, refused (`UnsupportedField`) or recorded as
a deviation; `OURS` lists the fields that our half honours before or after a stack runs.
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

OURS: Mapping[str, str] = {
    "stack": "picks the stack",
    "data.train": "tokenised by dataset.prepare",
    "data.evaluation": "tokenised by dataset.prepare",
    "data.evaluation_share": "split by dataset.prepare",
    "data.format": "read by rows.read",
    "data.template": "rendered by template.encode; a stack saves it with the tokenizer",
    "data.too_long": "cut or dropped by dataset.prepare",
    "data.loss_on": "laid into the labels by template.encode",
    "data.misfits": "refused or skipped by dataset.prepare",
    "evaluation.rows": "taken by evaluate.run",
    "evaluation.generations": "written by evaluate.run",
    "evaluation.max_new_tokens": "written by evaluate.run",
    "output": "the run's folder",
}


@dataclass(frozen=True)
class Job:
    """What a stack is handed for one run.

    Attributes:
        folder: of the run; the stack may write into ``native/`` and ``work/`` alone.
        data: folder with ``train.jsonl`` and ``test.jsonl`` of ``input_ids`` and ``labels``.
        base: folder of the base model, or its hub id.
        template: Jinja file of the chat template, where the run names one.
        steps: optimiser steps of the whole run.
        warmup_steps: of these.
        rows, test_rows: rows to train on and to validate on.
        resume_from: checkpoint to go on from.
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
        """Where the native config goes."""
        return self.folder / "native"

    @property
    def work(self) -> Path:
        """Where the stack keeps its checkpoints."""
        return self.folder / "work"


@dataclass(frozen=True)
class Rendered:
    """A native config: file name → text, and what of the spec it could only nearly say."""

    files: Mapping[str, str]
    deviations: tuple[str, ...] = ()


class Stack(Protocol):
    """What one file of this folder offers.

    Attributes:
        name: what the spec calls it.
        repository: owner/name, as the recommendation calls it.
        lock: file of exact versions that its environment is built from.
        needed: packages that make the environment at hand good enough.
    """

    name: str
    repository: str
    lock: Path
    needed: tuple[str, ...]

    def render(self, spec: RunSpec, job: Job) -> Rendered:
        """The native config.

        Raises:
            UnsupportedField: the stack cannot honour a field.
        """

    def command(self, python: Path, spec: RunSpec, job: Job) -> list[str]:
        """The command line that trains, with the interpreter of the stack's environment."""

    def environment(self, spec: RunSpec) -> Mapping[str, str]:
        """Environment variables that the command needs."""

    def hand_over(self, spec: RunSpec, job: Job) -> Path:
        """The folder of the trained adapter in PEFT's form (a whole model for ``full``).

        Raises:
            TrainingFailed: it is not there, although the process ended well.
        """


def stack(name: str) -> Stack:
    """The stack of this name.

    Raises:
        UnknownName: there is none.
    """
    if name not in STACKS:
        raise UnknownName("stack", name, list(STACKS))
    return cast("Stack", import_module(f"finetune.stacks.{name}"))
