"""The rows of a run in training order, for stacks that do not let us set their own order.

The order is that of transformers' Trainer: each epoch is a permutation drawn from seed + epoch, so all stacks
train on the same rows in the same steps. If an epoch does not fill its last batch, the first rows of the next
epoch do (the Trainer makes a smaller batch instead).
"""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path


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
    """All rows of a run from its ``first_step`` on.

    Attributes:
        rows: the rows of the file.
        indices: which row comes at each position of the stream.
        steps_per_epoch: optimiser steps of one pass over the data (may be a fraction).
    """

    def __init__(self, path: str, *, steps: int, batch: int, seed: int, first_step: int = 0) -> None:
        with Path(path).open("rb") as lines:
            self.rows = [json.loads(line) for line in lines]
        self.batch, self.first_step = batch, first_step
        order = row_order(len(self.rows), steps * batch, seed)
        self.indices = order[first_step * batch :]
        self.steps_per_epoch = len(self.rows) / batch
        lengths = [len(self.rows[index]["input_ids"]) for index in order]
        self._tokens = [0, *accumulate(lengths)]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> dict[str, list[int]]:
        row = self.rows[self.indices[position]]
        return {"input_ids": row["input_ids"], "labels": row["labels"]}

    def count_tokens(self, step: int) -> int:
        """Return the number of tokens (no padding) from the start of the run to the end of a step."""
        return self._tokens[min(step * self.batch, len(self._tokens) - 1)]
