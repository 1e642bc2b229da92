"""Train with unsloth, in its environment: `python unsloth_sft.py CONFIG RUN`. unsloth needs an accelerator.

The config has the arguments of the three calls of an unsloth script, by name: ``from_pretrained``,
``get_peft_model`` and TRL's ``SFTConfig``.
"""

from __future__ import annotations

import glob
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


class PrecisionDowngrade(RuntimeError):
    """The model was loaded in another precision than the config says."""


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train with the config, and write the adapter to ``RUN/adapter``."""
    began = time.monotonic()
    # unsloth writes its compiled code here; by default into the folder that the command runs in.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(run / "work" / "unsloth-compiled"))
    from unsloth import FastLanguageModel  # first: it patches what is imported after it

    # isort: split
    import torch
    import yaml
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    emit("imported", rss_bytes=rss_bytes())
    settings = yaml.safe_load(config.read_text())
    loading = {**settings["from_pretrained"], "dtype": getattr(torch, settings["from_pretrained"]["dtype"])}
    model, tokenizer = FastLanguageModel.from_pretrained(**loading)
    refuse_downgrade(model, four_bits=loading["load_in_4bit"])
    model = FastLanguageModel.get_peft_model(model, **settings["get_peft_model"])
    args = SFTConfig(**settings["sft"])
    initialise_adapter(model, args.seed, rank=settings["get_peft_model"]["r"])
    names = ["train", "test"] if args.eval_strategy != "no" else ["train"]
    # datasets reads the names of files as patterns
    files = {name: glob.escape(str(run / "data" / f"{name}.jsonl")) for name in names}
    splits = load_dataset("json", data_files=files, cache_dir=str(run / "work" / "arrow"))
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=splits["train"],
        eval_dataset=splits.get("test"),
        args=args,
        callbacks=[build_callback(emit)],
    )
    if args.fp16:
        cast_trained_weights(trainer.model)
    set_order(trainer, emit, config)
    count_work(trainer, emit)
    end_after_last_step(trainer)
    emit.report_model(trainer.model, began)
    trainer.train(resume_from_checkpoint=settings["resume_from_checkpoint"])
    if not emit.has_stopped:
        trainer.save_model(str(run / "adapter"))  # with several processes only the first one writes
        if process_count() == 1:
            save_probe(trainer.model, run)
        emit.report_end(trainer.state.global_step, began)
    shut_down()


def refuse_downgrade(model: Any, *, four_bits: bool) -> None:
    """Check that the model has the precision of the config.

    Without bitsandbytes, unsloth loads a 4-bit model in 16 bits and only writes a line in its log.

    Raises:
        PrecisionDowngrade: the precision is not that of the config.
    """
    quantised_layers = sum(type(module).__name__ == "Linear4bit" for module in model.modules())
    if four_bits and not quantised_layers:
        raise PrecisionDowngrade(
            "load_in_4bit is true, but no layer is quantised: check that bitsandbytes works here"
        )
    if quantised_layers and not four_bits:
        raise PrecisionDowngrade(f"load_in_4bit is false, but {quantised_layers} layers are quantised")


if __name__ == "__main__":
    sys.exit(main(train))
