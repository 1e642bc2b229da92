"""The rows of a run in training order, the same for all stacks.

Each epoch is a permutation drawn from seed + epoch, the order of transformers' Trainer. The epochs follow
each other without a gap: a batch at the end of an epoch also has the first rows of the next one. Only the
last batch of a run can have fewer rows; fillers, which have no trained token, make it as large as the others.
So each stack trains on the same rows in the same steps, with any number of processes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import IGNORE_INDEX, count_trained_labels
else:
    from emit import IGNORE_INDEX, count_trained_labels

_FILLER_TOKENS = 2  # one to predict, and one before it


def row_order(rows: int, count: int, seed: int) -> list[int]:
    """Return the indices of the first ``count`` rows, epoch after epoch."""
    import torch

    indices: list[int] = []
    epoch = 0
    while len(indices) < count:
        generator = torch.Generator().manual_seed(seed + epoch)
        indices += torch.randperm(rows, generator=generator).tolist()
        epoch += 1
    return indices[:count]


class Stream:
    """The rows of a run from its ``first_step`` on, as a data set of torch.

    Attributes:
        rows: the rows of the data set.
        steps_per_epoch: optimiser steps of one pass over the data (may be a fraction).
        first_step: the step of the checkpoint that the run resumes from.
    """

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        *,
        samples: int,
        steps: int,
        batch: int,
        seed: int,
        first_step: int = 0,
    ) -> None:
        self.rows, self.batch, self.steps, self.first_step = rows, batch, steps, first_step
        self._order = row_order(len(rows), min(samples, steps * batch), seed)
        self.steps_per_epoch = len(rows) / batch
        self._filler = _build_filler(rows[0] if self._order else {})

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.batch

    def __getitem__(self, position: int) -> dict[str, Any]:
        place = position + self.first_step * self.batch
        if place >= self.steps * self.batch:
            raise IndexError(position)
        if place >= len(self._order):
            return self._filler
        return self.rows[self._order[place]]

    def count_rows(self, step: int) -> int:
        """Return the rows of a step, without fillers."""
        return min(self.batch, len(self._order) - (step - 1) * self.batch)

    def count_work(self, step: int) -> dict[str, int]:
        """Return the tokens (no padding) and the trained tokens from the start of the run to a step's end."""
        rows = [side for index in self._order[: step * self.batch] for side in _list_sides(self.rows[index])]
        return {
            "tokens": sum(len(row["input_ids"]) for row in rows),
            "trained": sum(count_trained_labels(row["labels"]) for row in rows),
        }


def _build_filler(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the same form that has no trained token."""
    filler: dict[str, Any] = {"labels": [IGNORE_INDEX] * _FILLER_TOKENS}
    for key, value in row.items():
        if isinstance(value, dict):
            filler[key] = _build_filler(value)
        elif key != "labels":
            filler[key] = value if isinstance(value, bool) else [1] * _FILLER_TOKENS
    return filler


def _list_sides(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the row, and the one with the rejected answer if it is a preference."""
    return [row, row["rejected"]] if "rejected" in row else [row]


def read_rows(path: str) -> list[dict[str, Any]]:
    """Return the rows of a file of the tokenised data."""
    with Path(path).open("rb") as lines:
        return [json.loads(line) for line in lines]


def open_stream(path: str, **options: int) -> Stream:
    """Return the stream of a file of the tokenised data; the options are those of `Stream`."""
    return Stream(read_rows(path), **options)
