"""The loss of a model on rows: the sum of -log p over the trained tokens, and their number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from finetune.child_progress import OnCount, ignore_count
from finetune.machine import memory
from finetune.runners.emit import IGNORE_INDEX

if TYPE_CHECKING:
    from finetune.data.encoded_row import EncodedRow

Scores = list[tuple[float, int]]  # of each row: the sum of -log p over its trained tokens, and their number


def compute_mean_loss(scores: Scores) -> float:
    """Return the mean -log p of a trained token; NaN without one."""
    count = sum(count for _, count in scores)
    return sum(total for total, _ in scores) / count if count else math.nan


def score_rows(model: Any, rows: list[EncodedRow], pad: int, on_rows: OnCount = ignore_count) -> Scores:
    """Return the sum of -log p over the trained tokens of each row, and their number.

    Args:
        model: a model of transformers.
        rows: the rows.
        pad: token that fills shorter rows.
        on_rows: gets the number of rows that are done.
    """
    import torch

    scores: Scores = [(0.0, 0)] * len(rows)
    rows_so_far = 0
    places_by_length = iter(sorted(range(len(rows)), key=lambda n: len(rows[n].input_ids)))
    for batch in batch_by_length(rows):
        longest = max(len(row.input_ids) for row in batch)
        ids = torch.tensor([row.input_ids + [pad] * (longest - len(row.input_ids)) for row in batch])
        attention_mask = torch.tensor(
            [[1] * len(row.input_ids) + [0] * (longest - len(row.input_ids)) for row in batch]
        )
        labels = torch.tensor([row.labels + [IGNORE_INDEX] * (longest - len(row.labels)) for row in batch])
        with torch.no_grad():
            logits = model(
                input_ids=ids.to(model.device), attention_mask=attention_mask.to(model.device)
            ).logits
        logits = logits[:, -longest:][:, :-1]  # prompt tuning puts virtual tokens before the row's own
        targets = labels[:, 1:].to(logits.device)
        mask = targets != IGNORE_INDEX
        totals = torch.zeros(len(batch), dtype=torch.float64, device=logits.device)
        for places in torch.split(
            mask.nonzero(), memory.LOSS_TOKENS
        ):  # the float32 copies are the largest part
            part = logits[places[:, 0], places[:, 1]].float()
            part_targets = targets[places[:, 0], places[:, 1]]
            token_losses = torch.nn.functional.cross_entropy(part, part_targets, reduction="none")
            totals.index_add_(0, places[:, 0], token_losses.double())
        counts = mask.sum(dim=1).tolist()
        for total, count in zip(totals.tolist(), counts, strict=True):
            scores[next(places_by_length)] = (total, count)
        rows_so_far += len(batch)
        on_rows(rows_so_far)
    return scores


def batch_by_length(rows: list[EncodedRow]) -> Iterator[list[EncodedRow]]:
    """Yield batches of rows of similar length, with a limited number of tokens (padding included)."""
    batch: list[EncodedRow] = []
    for row in sorted(rows, key=lambda r: len(r.input_ids)):
        if batch and len(row.input_ids) * (len(batch) + 1) > memory.EVALUATION_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
