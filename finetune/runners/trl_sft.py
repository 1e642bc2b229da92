"""Runs inside trl's environment: `python trl_sft.py CONFIG RUN`. What `trl sft` does, with events.

The config is parsed by trl's own parser, so a wrong key fails as it would for `trl sft`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import Emitter, NotFinite, gpu_bytes, main, mark_complete, rss_bytes
    from finetune.runners.initial import begin
    from finetune.runners.probe import leave
    from finetune.runners.shards import held_here, leave_together
else:
    from emit import Emitter, NotFinite, gpu_bytes, main, mark_complete, rss_bytes
    from initial import begin
    from probe import leave
    from shards import held_here, leave_together


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says; the adapter (or the model) goes to ``RUN/adapter``."""
    began = time.monotonic()
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
    if args.use_cpu and args.fsdp:
        shard_on_cpus()
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
    if model.use_peft:
        begin(trainer.model, args.seed, rank=model.lora_r)
    count(trainer, emit)
    emit.loaded(trainer.model, began)
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    if not emit.stopped:
        trainer.save_model(str(run / "adapter"))
        if model.use_peft and args.world_size == 1:
            leave(trainer.model, run)
        emit.finished(trainer.state.global_step, began)
    leave_together()


def count(trainer: Any, emit: Emitter) -> None:
    """Let the trainer count the labels that it takes a loss of while it trains."""
    compute = trainer.compute_loss

    def counted(model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        if model.training:
            emit.bears_loss(inputs["labels"][..., 1:])  # the first token of a row is predicted from nothing
        return compute(model, inputs, *rest, **named)

    trainer.compute_loss = counted


def shard_on_cpus() -> None:
    """Make accelerate shard between CPU processes.

    accelerate 1.15 takes its FSDP branch for accelerators alone; on CPUs it trains with DDP and says
    nothing. torch's `fully_shard` works over gloo, so the branch is shown a kind that it knows; taking
    it, accelerate writes down FSDP itself.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState().distributed_type = DistributedType.MULTI_GPU


def _splits(script: Any, args: Any) -> list[str]:
    return [script.dataset_train_split] + ([script.dataset_test_split] if args.eval_strategy != "no" else [])


def _peft_config(path: Path) -> Any:
    from peft import PeftConfig

    return PeftConfig.from_peft_type(**json.loads(path.read_text()))


def reporter(emit: Emitter) -> Any:
    """The callback that turns the trainer's state into events and stops it in time."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc, unused-ignore]  # transformers tells no types
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            if args.world_size > 1:
                emit("spread", processes=args.world_size, **held_here(model))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "eval_loss" in (logs or {}):
                emit("validated", step=state.global_step, loss=logs["eval_loss"])
            if "loss" in (logs or {}):
                _step(emit, state, logs)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if emit.stop_at(state.global_step, world_size=args.world_size):
                control.should_save = control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if state.is_world_process_zero:
                mark_complete(checkpoint)
                emit("saved", step=state.global_step, path=str(checkpoint))

    return Reporter()


def _step(emit: Emitter, state: Any, logs: dict[str, Any]) -> None:
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
        trained=int(emit.trained),
        rss_bytes=rss_bytes(),
        gpu_bytes=gpu_bytes(),
    )
    if not finite:
        raise NotFinite(f"the loss of step {state.global_step} is {logs['loss']}")


def _number(value: Any) -> float | None:
    number = float(value) if value is not None else math.nan
    return number if math.isfinite(number) else None


if __name__ == "__main__":
    sys.exit(main(train))
