"""Train with trl, in its environment: `python trl_sft.py CONFIG RUN`. Like `trl sft`, with events.

trl's own parser reads the config, so a wrong key fails as it does for `trl sft`.
"""

from __future__ import annotations

import glob
import json
import math
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import Emitter, NotFinite, gpu_bytes, main, mark_complete, rss_bytes
    from finetune.runners.initial_adapter import initialise_adapter
    from finetune.runners.precision import cast_trained_weights
    from finetune.runners.probe import save_probe
    from finetune.runners.shards import count_parameters, shut_down
    from finetune.runners.stream import Stream
else:
    from emit import Emitter, NotFinite, gpu_bytes, main, mark_complete, rss_bytes
    from initial_adapter import initialise_adapter
    from precision import cast_trained_weights
    from probe import save_probe
    from shards import count_parameters, shut_down
    from stream import Stream


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train with the config, and write the adapter (or the model) to ``RUN/adapter``."""
    began = time.monotonic()
    import transformers
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
    set_model_arguments(args, model)
    args.pad_token = substitute = find_pad_token(model, args)
    train_rows, test_rows = load_splits(script, args, run)
    peft_file = config.with_name("peft.json")
    trainer = SFTTrainer(
        model=model.model_name_or_path,
        args=args,
        train_dataset=train_rows,
        eval_dataset=test_rows,
        quantization_config=get_quantization_config(model),
        peft_config=_read_peft_config(peft_file) if peft_file.is_file() else get_peft_config(model),
        callbacks=[build_callback(emit)],
    )
    count_work(trainer, emit)
    own_pad_token = trainer.processing_class.pad_token if substitute is None else None
    run_trainer(trainer, model, config, run, emit, own_pad_token, began)


def run_trainer(
    trainer: Any, model: Any, config: Path, run: Path, emit: Emitter, pad_token: str | None, began: float
) -> None:
    """Train the rows in the order of all stacks, and save the adapter (or the model).

    Args:
        trainer: trl's trainer, with the run's data.
        model: trl's ``ModelConfig``.
        config: the run's config, with the order of the rows beside it.
        run: the run's folder.
        emit: the stream of events.
        pad_token: the padding token of the saved tokenizer, which is the model's.
        began: a value of `time.monotonic`.
    """
    prepare_weights(trainer, model)
    set_order(trainer, emit, config)
    end_after_last_step(trainer)
    emit.report_model(trainer.model, began)
    trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    if not emit.has_stopped:
        trainer.processing_class.pad_token = pad_token
        trainer.save_model(str(run / "adapter"))
        if model.use_peft and trainer.args.world_size == 1:
            save_probe(trainer.model, run)
        emit.report_end(trainer.state.global_step, began)
    shut_down()


def set_model_arguments(args: Any, model: Any) -> None:
    """Set how the trainer loads the base model."""
    args.model_init_kwargs = {
        "revision": model.model_revision,
        "attn_implementation": model.attn_implementation,
        "dtype": model.dtype,
    }


def load_splits(script: Any, args: Any, run: Path) -> tuple[Any, Any]:
    """Return the tokenised training rows and the held-out rows, None if there is no validation."""
    from datasets import load_dataset

    names = [script.dataset_train_split] + ([script.dataset_test_split] if args.eval_strategy != "no" else [])
    files = {name: f"{glob.escape(script.dataset_name)}/{name}.jsonl" for name in names}  # they are patterns
    splits = load_dataset("json", data_files=files, cache_dir=str(run / "work" / "arrow"))
    return splits[names[0]], splits[names[1]] if names[1:] else None


def prepare_weights(trainer: Any, model: Any) -> None:
    """Give the trained weights their type, and an adapter its initial values."""
    if trainer.args.fp16:
        cast_trained_weights(trainer.model)
    if model.use_peft:
        initialise_adapter(trainer.model, trainer.args.seed, rank=model.lora_r)


def find_pad_token(model: Any, args: Any) -> str | None:
    """Return a token to pad with if the tokenizer has neither a padding token nor EOS, else None.

    trl does not start without one. No loss and no attention reaches the padding, so any token is right.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        model.model_name_or_path,
        revision=model.model_revision,
        trust_remote_code=args.trust_remote_code,
    )
    if tokenizer.pad_token or tokenizer.eos_token:
        return None
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return tokenizer.unk_token or min(vocabulary, key=lambda token: vocabulary[token])


def set_order(trainer: Any, emit: Emitter, config: Path) -> None:
    """Make the trainer take the rows in the order of all stacks, which ``order.json`` beside its config has.

    By itself the trainer makes a smaller batch at the end of each epoch.
    """
    from torch.utils.data import SequentialSampler

    args = trainer.args
    order = json.loads(config.with_name("order.json").read_text())
    stream = Stream(
        trainer.train_dataset,
        samples=order["samples"],
        steps=args.max_steps,
        batch=args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
        seed=args.seed,
    )
    emit.stream, emit.is_packed = stream, order["packed"]
    trainer.train_dataset = stream
    trainer._get_train_sampler = SequentialSampler  # noqa: SLF001 - a subclass would not fit axolotl's trainer


def count_work(trainer: Any, emit: Emitter) -> None:
    """Make the trainer count the tokens, and the labels that contribute to the training loss."""
    compute = trainer.compute_loss

    def compute_counted_loss(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if model.training:
            emit.count_batch(inputs["labels"], inputs.get("attention_mask"))
        return compute(model, inputs, *args, **kwargs)

    trainer.compute_loss = compute_counted_loss


class NoStepLeft(Exception):
    """The checkpoint has all steps of the run."""


def end_after_last_step(trainer: Any) -> None:
    """Make the trainer end when it resumes after the last step; by itself it trains one step more."""
    import transformers

    train = trainer.train

    class LastStep(transformers.TrainerCallback):  # type: ignore[misc]  # transformers has no types
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps:
                raise NoStepLeft  # the trainer has restored the checkpoint by now

    def train_remaining_steps(*args: Any, **kwargs: Any) -> Any:
        with suppress(NoStepLeft):
            return train(*args, **kwargs)

    trainer.add_callback(LastStep())
    trainer.train = train_remaining_steps


def shard_on_cpus() -> None:
    """Make accelerate shard the model between CPU processes.

    accelerate 1.15 uses FSDP on accelerators only; on CPUs it trains with DDP and gives no warning. torch's
    `fully_shard` works over gloo, so we set a type that accelerate accepts. accelerate then sets FSDP itself.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState().distributed_type = DistributedType.MULTI_GPU


def _read_peft_config(path: Path) -> Any:
    from peft import PeftConfig

    return PeftConfig.from_peft_type(**json.loads(path.read_text()))


def build_callback(emit: Emitter) -> Any:
    """Return the trainer callback that writes events and stops training on request."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc, unused-ignore]  # transformers has no types
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            emit.start_at(state.global_step)
            if args.world_size > 1:
                emit("spread", processes=args.world_size, **count_parameters(model))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "eval_loss" in (logs or {}):
                figures = _read_preferences(logs, "eval_")
                emit("validated", step=state.global_step, loss=logs["eval_loss"], **figures)
            if "loss" in (logs or {}):
                _report_step(emit, state, logs)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if emit.should_stop(state.global_step, world_size=args.world_size):
                control.should_save = control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if state.is_world_process_zero:
                mark_complete(checkpoint)
                emit("saved", step=state.global_step, path=str(checkpoint))

    return Reporter()


def _report_step(emit: Emitter, state: Any, logs: dict[str, Any]) -> None:
    is_finite = math.isfinite(logs["loss"])
    emit(
        "step",
        step=state.global_step,
        steps=state.max_steps,
        epoch=round(state.global_step / emit.stream.steps_per_epoch if emit.stream else state.epoch, 4),
        loss=logs["loss"] if is_finite else None,
        learning_rate=logs.get("learning_rate"),
        grad_norm=_finite_number(logs.get("grad_norm")),
        **_read_preferences(logs),
        **emit.count_work(),
        rss_bytes=rss_bytes(),
        gpu_bytes=gpu_bytes(),
    )
    if not is_finite:
        raise NotFinite(f"the loss of step {state.global_step} is {logs['loss']}")


def _read_preferences(logs: dict[str, Any], prefix: str = "") -> dict[str, float | None]:
    """Return trl's figures about preferences, by our names; nothing for another objective."""
    names = {"accuracy": f"{prefix}rewards/accuracies", "margin": f"{prefix}rewards/margins"}
    return {name: _finite_number(logs[key]) for name, key in names.items() if key in logs}


def _finite_number(value: Any) -> float | None:
    number = float(value) if value is not None else math.nan
    return number if math.isfinite(number) else None


if __name__ == "__main__":
    sys.exit(main(train))
