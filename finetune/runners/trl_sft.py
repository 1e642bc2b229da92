"""Runs inside trl's environment: `python trl_sft.py CONFIG RUN`. What `trl sft` does, with events.

The config is parsed by trl's own parser, so a wrong key fails as it would for `trl sft`.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import (
        Emitter,
        NotFinite,
        classify,
        mark_complete,
        peak_rss_bytes,
        rss_bytes,
    )
else:
    from emit import Emitter, NotFinite, classify, mark_complete, peak_rss_bytes, rss_bytes


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says; the adapter (or the model) goes to ``RUN/adapter``."""
    began = time.monotonic()
    import torch
    import transformers
    from datasets import load_dataset
    from trl import (
        ModelConfig,
        ScriptArguments,
        SFTConfig,
        SFTTrainer,
        TrlParser,
        get_peft_config,
        get_quantization_config,
    )

    transformers.logging.set_verbosity_warning()
    emit("imported", rss_bytes=rss_bytes())
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    script, args, model = parser.parse_args_and_config(["--config", str(config)])
    args.model_init_kwargs = {
        "revision": model.model_revision,
        "attn_implementation": model.attn_implementation,
        "dtype": model.dtype,
    }
    splits = load_dataset(
        "json",
        data_files={name: f"{script.dataset_name}/{name}.jsonl" for name in _splits(script, args)},
        cache_dir=str(run / "work" / "arrow"),
    )
    beside = config.with_name("peft.json")
    trainer = SFTTrainer(
        model=model.model_name_or_path,
        args=args,
        train_dataset=splits[script.dataset_train_split],
        eval_dataset=splits[script.dataset_test_split] if args.eval_strategy != "no" else None,
        quantization_config=get_quantization_config(model),
        peft_config=_peft_config(beside) if beside.is_file() else get_peft_config(model),
        callbacks=[reporter(emit)],
    )
    emit(
        "loaded",
        parameters=sum(p.numel() for p in trainer.model.parameters()),
        trainable=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        seconds=round(time.monotonic() - began, 2),
        rss_bytes=rss_bytes(),
        peak_rss_bytes=peak_rss_bytes(),
    )
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    if not emit.stopped:
        trainer.save_model(str(run / "adapter"))
        emit(
            "finished",
            step=trainer.state.global_step,
            seconds=round(time.monotonic() - began, 2),
            peak_rss_bytes=peak_rss_bytes(),
            peak_gpu_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
        )
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _splits(script: Any, args: Any) -> list[str]:
    return [script.dataset_train_split] + ([script.dataset_test_split] if args.eval_strategy != "no" else [])


def _peft_config(path: Path) -> Any:
    from peft import PeftConfig

    return PeftConfig.from_peft_type(**json.loads(path.read_text()))


def reporter(emit: Emitter) -> Any:
    """The callback that turns the trainer's state into events and stops it in time."""
    import torch
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            logs = logs or {}
            if "eval_loss" in logs:
                emit("validated", step=state.global_step, loss=logs["eval_loss"])
            if "loss" not in logs:
                return
            finite = math.isfinite(logs["loss"])
            emit(
                "step",
                step=state.global_step,
                steps=state.max_steps,
                epoch=round(float(state.epoch or 0), 4),
                loss=logs["loss"] if finite else None,
                learning_rate=logs.get("learning_rate"),
                grad_norm=_number(logs.get("grad_norm")),
                tokens=int(logs.get("num_tokens") or 0),
                rss_bytes=rss_bytes(),
                gpu_bytes=torch.cuda.memory_allocated() if torch.cuda.is_available() else 0,
            )
            if not finite:
                raise NotFinite(f"the loss of step {state.global_step} is {logs['loss']}")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if emit.stop_at(state.global_step, world_size=args.world_size):
                control.should_save = control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if state.is_world_process_zero:
                mark_complete(checkpoint)
                emit("saved", step=state.global_step, path=str(checkpoint))

    return Reporter()


def _number(value: Any) -> float | None:
    number = float(value) if value is not None else math.nan
    return number if math.isfinite(number) else None


def main() -> int:
    """Train; a failure becomes an event and exit code 1, its traceback goes to the log."""
    config, run = Path(sys.argv[1]), Path(sys.argv[2])
    emit = Emitter(run, quiet=os.environ.get("RANK", "0") != "0")
    emit("started", pid=os.getpid())
    try:
        train(config, run, emit)
    except BaseException as error:  # noqa: BLE001 - the whole point is to report it
        traceback.print_exc()
        kind, message = classify(error)
        try:
            emit("failed", kind=kind, message=message)
        except OSError:
            print(f"the event could not be written either: {kind}: {message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
