"""Runs inside torchtune's environment: `python torchtune_lora.py CONFIG RUN`; of several, under torchrun.

torchtune's own recipe trains, the one that the config's file is named after: `lora_finetune_single_device`,
or `lora_finetune_distributed`, which shards the model with FSDP2. Around it are resuming, validation (the
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
    from finetune.runners.emit import IGNORED, Emitter, main, rss_bytes
    from finetune.runners.initial import begin
else:
    import shards
    from emit import IGNORED, Emitter, main, rss_bytes
    from initial import begin

_RECIPES = {
    "lora_finetune_single_device": "LoRAFinetuneRecipeSingleDevice",
    "lora_finetune_distributed": "LoRAFinetuneRecipeDistributed",
}


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says."""
    began = time.monotonic()
    from omegaconf import OmegaConf
    from torchtune.config import instantiate
    from torchtune.modules.peft import get_adapter_state_dict

    module = _recipe(config.stem)
    emit("imported", rss_bytes=rss_bytes())
    cfg = OmegaConf.load(config)
    if shards.processes() > 1:
        _join(module, str(cfg.device))
    recipe = getattr(module, _RECIPES[config.stem])(cfg=cfg)
    recipe.setup(cfg=cfg)
    if shards.rank():  # the recipe gives a logger to the first process alone
        recipe._metric_logger = instantiate(cfg.metric_logger)
    going: progress.Progress = recipe._metric_logger.progress
    held_out = run / "data" / "test.jsonl"
    if going.validate_every and held_out.is_file():
        rows = [json.loads(line) for line in held_out.read_text().splitlines()]
        going.validate = lambda: _loss(recipe, rows, int(cfg.batch_size))
    begin(recipe._model, int(cfg.seed), rank=int(cfg.model.lora_rank), stack="torchtune")
    if shards.processes() == 1:  # the recipe for several has no such step
        _count(recipe, going.emit)
    going.loaded(began, recipe._model, recipe._optimizer, recipe._lr_scheduler)
    if shards.rank():
        _follow(recipe, going)
    recipe.train()
    going.finish(get_adapter_state_dict(recipe._model.state_dict(), device=None), began)
    shards.leave_together()


def _recipe(name: str) -> Any:
    """The file of a recipe; the wheel's folder of recipes forbids being imported as a package."""
    import torchtune

    file = Path(torchtune.__file__).parents[1] / "recipes" / f"{name}.py"
    told = importlib.util.spec_from_file_location(name, file)
    if told is None or told.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    return module


def _join(module: Any, device: str) -> None:
    """Meet the other processes, as the recipe's own entry does; on CPUs, which it has not in mind.

    There its model shards over gloo as it does over NCCL; but it would log the memory of a GPU, and empty its
    cache, and both raise.
    """
    import torch

    if device == "cpu":
        torch.distributed.init_process_group("gloo")
        for name in ("get_memory_stats", "log_memory_stats", "cleanup_before_training"):
            setattr(module.training, name, lambda *_, **__: None)
    else:
        torch.distributed.init_process_group("cuda:nccl,cpu:gloo")


def _follow(recipe: Any, going: progress.Progress) -> None:
    """Go along with the first process, which alone is told of the end of a step, just after this."""
    step = recipe._lr_scheduler.step

    def stepped() -> None:
        step()
        going.step(recipe.global_step + 1 + going.stream.first_step, 0.0, 0.0)

    recipe._lr_scheduler.step = stepped


def _count(recipe: Any, emit: Emitter) -> None:
    """Let the recipe count the labels that it takes a loss of while it trains."""
    loss = recipe._loss_step

    def counted(batch: dict[str, Any]) -> Any:
        if recipe._model.training:
            emit.bears_loss(batch["labels"][..., 1:])
        return loss(batch)

    recipe._loss_step = counted


def _loss(recipe: Any, rows: list[dict[str, Any]], batch: int) -> float:
    """Mean loss of a trained token over the rows, each process taking its share of the batches.

    All of them answer equally often, for they gather the weights together; what is then too much counts
    nothing.
    """
    import torch
    from torchtune.data import padded_collate_sft

    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    total, count = 0.0, 0
    recipe._model.eval()
    with torch.no_grad():
        for first in range(0, len(batches), shards.processes()):
            at = first + shards.rank()
            some = [{"tokens": r["input_ids"], "labels": r["labels"]} for r in batches[at % len(batches)]]
            made = padded_collate_sft(some, padding_idx=recipe._tokenizer.pad_id)
            trained = int((made["labels"][:, 1:] != IGNORED).sum()) if at < len(batches) else 0
            total += _answer(recipe, made) * trained
            count += trained
    recipe._model.train()
    total, tokens = shards.summed([total, float(count)])
    return total / tokens


def _answer(recipe: Any, made: dict[str, Any]) -> float:
    """Loss of one batch as the recipes take it; NaN where nothing is trained becomes 0."""
    import torch

    device = recipe._device
    labels = made["labels"].to(device)
    logits = recipe._model(made["tokens"].to(device))
    shifted = torch.hstack((labels[:, 1:], torch.full_like(labels[:, :1], IGNORED)))
    if not isinstance(logits, list):
        shifted, logits = shifted.reshape(-1), logits.reshape(-1, logits.size(-1))
    loss = float(recipe._loss_fn(logits, shifted))
    return loss if loss == loss else 0.0  # noqa: PLR0124 - NaN


if __name__ == "__main__":
    sys.exit(main(train))
