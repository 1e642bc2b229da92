"""Runs inside axolotl's environment: `python axolotl_train.py CONFIG RUN`.

What `axolotl train` does, with events.

axolotl lets a plugin add callbacks; so that none of ours is one (that part of axolotl has a licence of
its own), the callback is handed to transformers' Trainer as it is made.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import Emitter, main, rss_bytes
    from finetune.runners.initial import begin
    from finetune.runners.probe import leave
    from finetune.runners.shards import leave_together, processes
    from finetune.runners.stream import Stream
    from finetune.runners.trl_sft import count, reporter
else:
    from emit import Emitter, main, rss_bytes
    from initial import begin
    from probe import leave
    from shards import leave_together, processes
    from stream import Stream
    from trl_sft import count, reporter


class Counting(Emitter):
    """Adds the number of tokens, which axolotl's trainer does not tell, from the rows in their order."""

    stream: Stream | None = None

    def __call__(self, event: str, **fields: Any) -> None:
        """Append one event."""
        if event == "step" and self.stream is not None and not fields["tokens"]:
            fields["tokens"] = self.stream.tokens(fields["step"])
        super().__call__(event, **fields)


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says; the adapter stays in ``RUN/work`` until it is handed over."""
    began = time.monotonic()
    import transformers
    from axolotl.cli.args import TrainerCliArgs
    from axolotl.cli.config import load_cfg
    from axolotl.cli.train import do_train

    emit("imported", rss_bytes=rss_bytes())
    for name in ("train", "test"):
        _with_masks(run / "data" / f"{name}.jsonl", run / "work" / f"{name}.jsonl")
    cfg = load_cfg(str(config))
    counting = Counting(run, quiet=emit.quiet)
    batch = cfg.micro_batch_size * cfg.gradient_accumulation_steps * processes()
    rows = str(run / "data" / "train.jsonl")
    counting.stream = Stream(rows, steps=cfg.max_steps, batch=batch, seed=cfg.seed)
    made: list[Any] = []
    init = transformers.Trainer.__init__

    def with_reporter(trainer: Any, *words: Any, **named: Any) -> None:
        init(trainer, *words, **named)
        made.append(trainer)
        begin(trainer.model, cfg.seed, rank=cfg.lora_r)
        trainer.add_callback(reporter(counting))
        trainer.args.eval_on_start = False  # axolotl sets it wherever there are held-out rows
        count(trainer, counting)
        counting.loaded(trainer.model, began)

    transformers.Trainer.__init__ = with_reporter
    do_train(cfg, TrainerCliArgs())
    if not counting.stopped:
        if processes() == 1:
            leave(made[0].model, run)
        counting.finished(made[0].state.global_step, began)
    leave_together()


def _with_masks(source: Path, target: Path) -> None:
    """Axolotl takes rows as they are where they have all three columns."""
    draft = target.with_suffix(f".{os.getpid()}")  # every process writes the same, and sees a whole one
    with source.open() as rows, draft.open("w") as out:
        for line in rows:
            row = json.loads(line)
            out.write(json.dumps({**row, "attention_mask": [1] * len(row["input_ids"])}) + "\n")
    draft.replace(target)


if __name__ == "__main__":
    sys.exit(main(train))
