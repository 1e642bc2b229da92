"""Train on preferences with trl, in its environment: `python trl_preference.py CONFIG RUN`, with events.

The trainers are trl's DPOTrainer and KTOTrainer, and ORPOTrainer of its experimental part. They get the
tokens and labels that advisor has prepared, so they read no text: the log-probability of an answer is the sum
over its trained tokens, for ORPO their mean. The reference of DPO and KTO is the model without its adapter,
or for all weights a second model; ORPO has none.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import IGNORE_INDEX, Emitter, main, rss_bytes
    from finetune.runners.trl_sft import (
        build_callback,
        find_pad_token,
        load_splits,
        run_trainer,
        set_model_arguments,
    )
else:
    from emit import IGNORE_INDEX, Emitter, main, rss_bytes
    from trl_sft import (
        build_callback,
        find_pad_token,
        load_splits,
        run_trainer,
        set_model_arguments,
    )

TEMPLATE = "chat_template.jinja"


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train with the config, and write the adapter (or the model) to ``RUN/adapter``.

    The name of the config is the objective: ``dpo.yaml``, ``kto.yaml`` or ``orpo.yaml``.
    """
    began = time.monotonic()
    import transformers
    from trl import ModelConfig, ScriptArguments, TrlParser, get_peft_config, get_quantization_config

    transformers.logging.set_verbosity_warning()
    emit("imported", rss_bytes=rss_bytes())
    trainer_class, config_class, collate = _choose_trainer(config.stem)
    parser = TrlParser((ScriptArguments, config_class, ModelConfig))
    script, args, model = parser.parse_args_and_config(["--config", str(config)])
    set_model_arguments(args, model)
    train_rows, test_rows = load_splits(script, args, run)
    tokenizer, pad_token = _load_tokenizer(model, args, config.with_name(TEMPLATE))
    pad = tokenizer.convert_tokens_to_ids(tokenizer.pad_token)
    trainer = trainer_class(
        model=model.model_name_or_path,
        args=args,
        data_collator=lambda rows: collate(rows, pad),
        train_dataset=train_rows,
        eval_dataset=test_rows,
        processing_class=tokenizer,
        **_quantise(config.stem, args, get_quantization_config(model)),
        peft_config=get_peft_config(model),
        callbacks=[build_callback(emit)],
    )
    weigh_rows(trainer, emit)
    run_trainer(trainer, model, config, run, emit, pad_token, began)


def _choose_trainer(objective: str) -> tuple[Any, Any, Callable[[list[dict[str, Any]], int], dict[str, Any]]]:
    """Return trainer, config and collator of an objective; the trainer takes the rows as they are."""
    if objective == "dpo":
        from trl import DPOConfig, DPOTrainer

        return _without_preparation(DPOTrainer), DPOConfig, collate_pairs
    if objective == "orpo":
        os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"  # the run's record says that it is experimental
        from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        return _with_our_tokens(ORPOTrainer), ORPOConfig, collate_pairs
    from trl import KTOConfig, KTOTrainer

    return _without_preparation(KTOTrainer), KTOConfig, collate_answers_with_labels


def _quantise(objective: str, args: Any, quantisation: Any) -> dict[str, Any]:
    """Return the trainer's argument that quantises the base; ORPOTrainer has it among those of the model."""
    if objective != "orpo":
        return {"quantization_config": quantisation}
    args.model_init_kwargs |= {"quantization_config": quantisation, "device_map": {"": str(args.device)}}
    return {}


def _without_preparation(trainer_class: Any) -> Any:
    """Return a trainer whose data set has the tokens already."""

    class Trainer(trainer_class):  # type: ignore[misc]  # trl has no types
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    Trainer.__name__ = trainer_class.__name__
    return Trainer


def _with_our_tokens(trainer_class: Any) -> Any:
    """Return an ORPOTrainer that takes the rows, and the batches of `collate_pairs`, as they are."""

    class Trainer(trainer_class):  # type: ignore[misc]  # trl has no types
        def __init__(self, *, train_dataset: Any, eval_dataset: Any = None, **options: Any) -> None:
            eval_rows = None if eval_dataset is None else _PreparedRows(eval_dataset)
            super().__init__(train_dataset=_PreparedRows(train_dataset), eval_dataset=eval_rows, **options)
            self._metrics = self._stored_metrics  # the name in trl's other trainers

        def concatenated_forward(self, model: Any, batch: dict[str, Any]) -> Any:
            return super().concatenated_forward(model, _split_sides(batch))

    Trainer.__name__ = trainer_class.__name__
    return Trainer


class _PreparedRows:
    """Rows that have their tokens: trl's ORPOTrainer maps each data set to prompts, and then to tokens."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self.rows[place]

    def map(self, *_: Any, **__: Any) -> _PreparedRows:
        return self


def _split_sides(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a micro-batch of `collate_pairs` with ORPOTrainer's names.

    A filler has no answer, whose mean log-probability would be NaN, so all of its tokens are the answer: its
    loss counts nothing.
    """
    mask = batch["completion_mask"].bool()
    mask = mask | ~mask.any(dim=1, keepdim=True)
    tensors = {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "labels": batch["input_ids"].masked_fill(~mask, IGNORE_INDEX),
    }
    pairs = len(mask) // 2
    sides = {"chosen": slice(None, pairs), "rejected": slice(pairs, None)}
    return {
        f"{side}_{name}": tensor[part] for side, part in sides.items() for name, tensor in tensors.items()
    }


def _load_tokenizer(model: Any, args: Any, template: Path) -> tuple[Any, str | None]:
    """Return the tokenizer with the run's template and a token to pad with, and the padding token it had."""
    from transformers import AutoTokenizer

    substitute = find_pad_token(model, args)
    tokenizer = AutoTokenizer.from_pretrained(
        model.model_name_or_path, revision=model.model_revision, trust_remote_code=args.trust_remote_code
    )
    if template.is_file():
        tokenizer.chat_template = template.read_text("utf-8")
    pad_token = tokenizer.pad_token
    tokenizer.pad_token = pad_token or substitute or tokenizer.eos_token
    return tokenizer, pad_token


def collate_pairs(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Return the tensors of a micro-batch of pairs: all chosen answers, then all rejected ones."""
    return _pad_rows([*rows, *(row["rejected"] for row in rows)], pad)


def collate_answers_with_labels(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Return the tensors of a micro-batch of labelled answers.

    Those with the prefix ``KL_`` have each prompt with the answer of the row before it, for the estimate of
    the distance from the reference.
    """
    import torch

    real_rows = [row for row in rows if _has_answer(row)]
    others = iter([*real_rows[-1:], *real_rows[:-1]])
    mismatched_rows = [_join(row, next(others)) if _has_answer(row) else row for row in rows]
    mismatched_batch = {f"KL_{name}": tensor for name, tensor in _pad_rows(mismatched_rows, pad).items()}
    labels = torch.tensor([bool(row["is_desirable"]) for row in rows])
    return {**_pad_rows(rows, pad), **mismatched_batch, "label": labels}


def _has_answer(row: dict[str, Any]) -> bool:
    return any(label != IGNORE_INDEX for label in row["labels"])


def _join(row: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the prompt of one row with the answer of another one."""
    end, start = (
        next(n for n, label in enumerate(r["labels"]) if label != IGNORE_INDEX) for r in (row, other)
    )
    return {name: row[name][:end] + other[name][start:] for name in ("input_ids", "labels")}


def _pad_rows(rows: Sequence[dict[str, Any]], pad: int) -> dict[str, Any]:
    """Return token ids, attention mask and mask of the trained tokens, each of shape (rows, longest row)."""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def stack(values: Sequence[list[int]], fill: int) -> Any:
        return torch.tensor([[*value, *[fill] * (longest - len(value))] for value in values])

    return {
        "input_ids": stack([row["input_ids"] for row in rows], pad),
        "attention_mask": stack([[1] * len(row["input_ids"]) for row in rows], 0),
        "completion_mask": stack([[int(n != IGNORE_INDEX) for n in row["labels"]] for row in rows], 0),
    }


def weigh_rows(trainer: Any, emit: Emitter) -> None:
    """Make each row of a step count the same, and count the tokens.

    trl takes the mean over the rows of each micro-batch. In the last step of a run some rows can be fillers,
    which have no answer: they must neither change that mean nor trl's own figures.
    """
    compute, args = trainer.compute_loss, trainer.args
    micro_batches = args.gradient_accumulation_steps * args.world_size

    def compute_weighted_loss(model: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        if not model.training:
            return compute(model, inputs, *more, **options)
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, IGNORE_INDEX)
        emit.count_batch(labels, inputs["attention_mask"])
        step_rows = emit.stream.count_rows(trainer.state.global_step + 1)
        sides = 1 if "label" in inputs else 2
        has_answer = inputs["completion_mask"].any(dim=1)
        if step_rows == emit.stream.batch:
            return compute(model, inputs, *more, **options)
        rows = int(has_answer.sum()) // sides
        if rows:
            real_inputs = {name: tensor[has_answer] for name, tensor in inputs.items()}
            return compute(model, real_inputs, *more, **options) * (rows * micro_batches / step_rows)
        metrics = trainer._metrics["train"]  # noqa: SLF001 - trl has no other way to leave out a batch
        figures = {name: list(values) for name, values in metrics.items()}
        loss = compute(model, inputs, *more, **options) * 0
        metrics.clear()
        metrics.update(figures)
        return loss

    trainer.compute_loss = compute_weighted_loss


if __name__ == "__main__":
    sys.exit(main(train))
