"""How a run reports to the one who started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finetune.child_progress import OnProgress, ignore_progress


@dataclass(frozen=True)
class RunCallbacks:
    """Functions that a run calls; each one is optional.

    Attributes:
        on_stage: gets the name of each stage.
        on_rows: gets the number of rows that the stage has read, tokenised or compared.
        on_progress: gets what a program does now, how many rows are done, and of how many (0: no rows).
        on_event: gets each event of the training process.
        on_stop: called after Ctrl-C, while the training process writes its checkpoint.
    """

    on_stage: Callable[[str], None] = lambda _: None
    on_rows: Callable[[int], None] = lambda _: None
    on_progress: OnProgress = ignore_progress
    on_event: Callable[[dict[str, Any]], None] = lambda _: None
    on_stop: Callable[[], None] = lambda: None
