"""Train with torchtune, in its environment: `python torchtune_lora.py CONFIG RUN`, or under torchrun.

torchtune's own recipe trains. The config file has the name of its recipe: `lora_finetune_single_device`, or
`lora_finetune_distributed`, which shards the model with FSDP2. This script adds resuming, validation (the
recipes have none) and the probe of the finished adapter.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners import progress, shards
    from finetune.runners.emit import IGNORE_INDEX, Emitter, main, rss_bytes
    from finetune.runners.initial_adapter import initialise_adapter
else:
    import shards
    from emit import IGNORE_INDEX, Emitter, main, rss_bytes
    from initial_adapter import initialise_adapter

_RECIPES = {
    "lora_finetune_single_device": "LoRAFinetuneRecipeSingleDevice",
    "lora_finetune_distributed": "LoRAFinetuneRecipeDistributed",
}


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train with the recipe that the config belongs to."""
    began = time.monotonic()
    from omegaconf import OmegaConf
    from torchtune.config import instantiate
    from torchtune.modules.peft import get_adapter_state_dict

    module = _load_recipe(config.stem)
    emit("imported", rss_bytes=rss_bytes())
    cfg = OmegaConf.load(config)
    if shards.process_count() > 1:
        _join_process_group(module, str(cfg.device))
    recipe = getattr(module, _RECIPES[config.stem])(cfg=cfg)
    recipe.setup(cfg=cfg)
    if shards.rank():  # the recipe gives a logger to the first process only
        recipe._metric_logger = instantiate(cfg.metric_logger)
    step_progress: progress.StepProgress = recipe._metric_logger.progress
    held_out = run / "data" / "test.jsonl"
    if step_progress.validate_every and held_out.is_file():
        rows = [json.loads(line) for line in held_out.read_text().splitlines()]
        step_progress.validate = lambda: _validation_loss(recipe, rows, int(cfg.batch_size))
    initialise_adapter(recipe._model, int(cfg.seed), rank=int(cfg.model.lora_rank), stack="torchtune")
    _count_work(recipe, step_progress.emit)
    step_progress.start(began, recipe._model, recipe._optimizer, recipe._lr_scheduler)
    if shards.rank():
        _follow_first_process(recipe, step_progress)
    recipe.train()
    step_progress.finish(get_adapter_state_dict(recipe._model.state_dict(), device=None), began)
    shards.shut_down()


def _load_recipe(name: str) -> Any:
    """Load the module of a recipe by path; torchtune's folder of recipes refuses to be imported."""
    import torchtune

    file = Path(torchtune.__file__).parents[1] / "recipes" / f"{name}.py"
    module_spec = importlib.util.spec_from_file_location(name, file)
    if module_spec is None or module_spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


def _join_process_group(module: Any, device: str) -> None:
    """Join the process group, as the recipe's own entry point does, and on CPUs too.

    On CPUs the model shards over gloo as it does over NCCL. But the recipe logs the memory of a GPU and
    empties its cache, and both raise an error without a GPU.
    """
    import torch

    if device == "cpu":
        torch.distributed.init_process_group("gloo")
        for name in ("get_memory_stats", "log_memory_stats", "cleanup_before_training"):
            setattr(module.training, name, lambda *_, **__: None)
    else:
        torch.distributed.init_process_group("cuda:nccl,cpu:gloo")


def _follow_first_process(recipe: Any, step_progress: progress.StepProgress) -> None:
    """Finish each step together with the first process, the only one that the recipe lets log."""
    step = recipe._lr_scheduler.step

    def report_step() -> None:
        step()
        step_progress.step(recipe.global_step + 1 + step_progress.stream.first_step, 0.0, 0.0)

    recipe._lr_scheduler.step = report_step


def _count_work(recipe: Any, emit: Emitter) -> None:
    """Make the recipe count the tokens that it reads, and the labels that contribute to the training loss.

    torchtune divides the loss of a micro-batch by its trained tokens; with fillers alone there are none, and
    the loss is 0.
    """
    collate, compute_loss = recipe._dataloader.collate_fn, recipe._loss_fn.forward

    def collate_rows(samples: list[dict[str, Any]]) -> Any:
        emit.count_rows((sample["tokens"], sample["labels"]) for sample in samples)
        return collate(samples)

    def compute_counted_loss(logits: Any, labels: Any) -> Any:
        if recipe._model.training:
            emit.count_labels(labels)
        if (labels != IGNORE_INDEX).any():
            return compute_loss(logits, labels)
        return sum(part.sum() for part in (logits if isinstance(logits, list) else [logits])) * 0.0

    recipe._dataloader.collate_fn = collate_rows
    recipe._loss_fn.forward = compute_counted_loss


def _validation_loss(recipe: Any, rows: list[dict[str, Any]], batch: int) -> float:
    """Return the mean loss of a trained token over the rows; each process takes its share of the batches.

    All processes run the model equally often, because they gather its weights together. Surplus batches count
    for nothing.
    """
    import torch
    from torchtune.data import padded_collate_sft

    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    total, count = 0.0, 0
    recipe._model.eval()
    with torch.no_grad():
        for first in range(0, len(batches), shards.process_count()):
            index = first + shards.rank()
            samples = [
                {"tokens": r["input_ids"], "labels": r["labels"]} for r in batches[index % len(batches)]
            ]
            tensors = padded_collate_sft(samples, padding_idx=recipe._tokenizer.pad_id)
            labels = int((tensors["labels"][:, 1:] != IGNORE_INDEX).sum()) if index < len(batches) else 0
            total += _batch_loss(recipe, tensors) * labels
            count += labels
    recipe._model.train()
    total, tokens = shards.sum_over_processes([total, float(count)])
    return total / tokens


def _batch_loss(recipe: Any, tensors: dict[str, Any]) -> float:
    """Return the loss of one batch as the recipes compute it; 0 instead of NaN if no token is trained."""
    import torch

    device = recipe._device
    labels = tensors["labels"].to(device)
    logits = recipe._model(tensors["tokens"].to(device))
    targets = torch.hstack((labels[:, 1:], torch.full_like(labels[:, :1], IGNORE_INDEX)))
    if not isinstance(logits, list):
        targets, logits = targets.reshape(-1), logits.reshape(-1, logits.size(-1))
    loss = float(recipe._loss_fn(logits, targets))
    return loss if loss == loss else 0.0  # noqa: PLR0124 - NaN


if __name__ == "__main__":
    sys.exit(main(train))
