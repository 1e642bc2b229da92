"""Train with axolotl, in its environment: `python axolotl_train.py CONFIG RUN`.

This does what `axolotl train` does, with events. An axolotl plugin could add our callback, but that part of
axolotl has another licence. So this script adds the callback when transformers' Trainer is created.
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
    from finetune.runners.initial_adapter import initialise_adapter
    from finetune.runners.precision import cast_trained_weights
    from finetune.runners.probe import save_probe
    from finetune.runners.shards import process_count, shut_down
    from finetune.runners.trl_sft import build_callback, count_work, end_after_last_step, set_order
else:
    from emit import Emitter, main, rss_bytes
    from initial_adapter import initialise_adapter
    from precision import cast_trained_weights
    from probe import save_probe
    from shards import process_count, shut_down
    from trl_sft import build_callback, count_work, end_after_last_step, set_order


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train with the config; the adapter stays in ``RUN/work`` until it is exported."""
    began = time.monotonic()
    import transformers
    from axolotl.cli.args import TrainerCliArgs
    from axolotl.cli.config import load_cfg
    from axolotl.cli.train import do_train

    emit("imported", rss_bytes=rss_bytes())
    for name in ("train", "test"):
        _add_masks(run / "data" / f"{name}.jsonl", run / "work" / f"{name}.jsonl")
    cfg = load_cfg(str(config))
    trainers: list[Any] = []
    init = transformers.Trainer.__init__

    def init_with_callback(trainer: Any, *args: Any, **kwargs: Any) -> None:
        init(trainer, *args, **kwargs)
        trainers.append(trainer)
        if trainer.args.fp16:
            cast_trained_weights(trainer.model)
        initialise_adapter(trainer.model, cfg.seed, rank=cfg.lora_r)
        trainer.add_callback(build_callback(emit))
        trainer.args.eval_on_start = False  # axolotl sets it if there are held-out rows
        if not cfg.sample_packing:  # axolotl packs the rows itself, in its own order
            set_order(trainer, emit, config)
            trainer.train_dataset.column_names = ()  # axolotl would remove columns that its collator drops
        count_work(trainer, emit)
        end_after_last_step(trainer)
        emit.report_model(trainer.model, began)

    transformers.Trainer.__init__ = init_with_callback
    do_train(cfg, TrainerCliArgs())
    if not emit.has_stopped:
        if process_count() == 1:
            save_probe(trainers[0].model, run)
        emit.report_end(trainers[0].state.global_step, began)
    shut_down()


def _add_masks(source: Path, target: Path) -> None:
    """Add the attention mask: axolotl uses rows unchanged if they have all three columns."""
    draft = target.with_suffix(
        f".{os.getpid()}"
    )  # every process writes the same file and then sees a complete one
    with source.open() as rows, draft.open("w") as out:
        for line in rows:
            row = json.loads(line)
            out.write(json.dumps({**row, "attention_mask": [1] * len(row["input_ids"])}) + "\n")
    draft.replace(target)


if __name__ == "__main__":
    sys.exit(main(train))
