"""Runs inside unsloth's environment: `python unsloth_sft.py CONFIG RUN`. unsloth needs an accelerator.

The config holds the arguments of the three calls that an unsloth script is made of, by their names:
``from_pretrained``, ``get_peft_model`` and TRL's ``SFTConfig``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import Emitter, main, rss_bytes
    from finetune.runners.initial import begin
    from finetune.runners.probe import leave
    from finetune.runners.shards import leave_together, processes
    from finetune.runners.trl_sft import count, reporter
else:
    from emit import Emitter, main, rss_bytes
    from initial import begin
    from probe import leave
    from shards import leave_together, processes
    from trl_sft import count, reporter


class Downgraded(RuntimeError):
    """The model that was loaded is not the one that was asked for."""


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says; the adapter goes to ``RUN/adapter``."""
    began = time.monotonic()
    from unsloth import FastLanguageModel  # first: it patches what is imported after it

    # isort: split
    import torch
    import yaml
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    emit("imported", rss_bytes=rss_bytes())
    told = yaml.safe_load(config.read_text())
    loading = {**told["from_pretrained"], "dtype": getattr(torch, told["from_pretrained"]["dtype"])}
    model, tokenizer = FastLanguageModel.from_pretrained(**loading)
    refuse_downgrade(model, four_bits=loading["load_in_4bit"])
    model = FastLanguageModel.get_peft_model(model, **told["get_peft_model"])
    args = SFTConfig(**told["sft"])
    begin(model, args.seed, rank=told["get_peft_model"]["r"])
    names = ["train", "test"] if args.eval_strategy != "no" else ["train"]
    files = {name: str(run / "data" / f"{name}.jsonl") for name in names}
    splits = load_dataset("json", data_files=files, cache_dir=str(run / "work" / "arrow"))
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=splits["train"],
        eval_dataset=splits.get("test"),
        args=args,
        callbacks=[reporter(emit)],
    )
    count(trainer, emit)
    emit.loaded(trainer.model, began)
    trainer.train(resume_from_checkpoint=told["resume_from_checkpoint"])
    if not emit.stopped:
        trainer.save_model(str(run / "adapter"))  # of several processes the first writes
        if processes() == 1:
            leave(trainer.model, run)
        emit.finished(trainer.state.global_step, began)
    leave_together()


def refuse_downgrade(model: Any, *, four_bits: bool) -> None:
    """Unsloth goes on in 16 bits, with a line in its log, where 4 were asked for and bitsandbytes is missing.

    Raises:
        Downgraded: it did.
    """
    quantised = sum(type(module).__name__ == "Linear4bit" for module in model.modules())
    if four_bits and not quantised:
        raise Downgraded("4 bits were asked for, but no layer is quantised; is bitsandbytes usable here?")
    if quantised and not four_bits:
        raise Downgraded(f"16 bits were asked for, but {quantised} layers are quantised")


if __name__ == "__main__":
    sys.exit(main(train))
