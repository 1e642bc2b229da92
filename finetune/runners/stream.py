"""The rows of a run in the order in which a stack sees them, for stacks whose own order cannot be set.

The order is that of transformers' Trainer: each epoch is a permutation drawn from seed + epoch, so all
stacks train on the same rows in the same steps. Where an epoch is no multiple of the batch, the rows
of the next one fill its last batch (the Trainer takes a smaller one).
"""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path


def order(rows: int, wanted: int, seed: int) -> list[int]:
    """Places of the first ``wanted`` rows, epoch after epoch."""
    import torch

    places: list[int] = []
    epoch = 0
    while len(places) < wanted:
        drawn = torch.Generator().manual_seed(seed + epoch)
        places += torch.randperm(rows, generator=drawn).tolist()
        epoch += 1
    return places[:wanted]


class Stream:
    """All rows of a run from its ``first_step`` on.

    Attributes:
        a_epoch: optimiser steps that one pass over the data takes (a fraction).
    """

    def __init__(self, path: str, *, steps: int, batch: int, seed: int, first_step: int = 0) -> None:
        with Path(path).open("rb") as lines:
            self.rows = [json.loads(line) for line in lines]
        self.batch, self.first_step = batch, first_step
        whole = order(len(self.rows), steps * batch, seed)
        self.places = whole[first_step * batch :]
        self.a_epoch = len(self.rows) / batch
        lengths = [len(self.rows[place]["input_ids"]) for place in whole]
        self._tokens = [0, *accumulate(lengths)]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        row = self.rows[self.places[index]]
        return {"input_ids": row["input_ids"], "labels": row["labels"]}

    def tokens(self, step: int) -> int:
        """Tokens (no padding) of the run up to the end of a step."""
        return self._tokens[min(step * self.batch, len(self._tokens) - 1)]
