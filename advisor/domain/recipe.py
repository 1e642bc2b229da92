"""A ready-made recipe: what a configuration, a script, a notebook or a block of a page trains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A recipe in a file; None: it does not say.

    Attributes:
        kind: of the file: ``config``, ``script``, ``notebook`` or ``page``.
        family: tracked family of the model; None: the model is of no tracked family.
        model: its name in the file.
        method: which weights it trains, for example ``lora``.
        task: what it teaches, for example ``sft`` or ``dpo``.
        data_format: of the rows of data.
        gpus: number of GPUs; 2 stands also for an unknown number above one.
        memory_gb: of one GPU.
        hardware: the words that say the last two.
    """

    kind: str
    family: str | None
    model: str
    method: str | None
    task: str | None
    data_format: str | None
    gpus: int | None
    memory_gb: float | None
    hardware: str | None
