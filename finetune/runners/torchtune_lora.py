"""Runs inside torchtune's environment: `python torchtune_lora.py CONFIG RUN`.

torchtune's own recipe `lora_finetune_single_device` trains; around it are resuming, validation (the
recipe has none) and the probe of the finished adapter.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners import progress
    from finetune.runners.emit import Emitter, main, rss_bytes
    from finetune.runners.initial import begin
else:
    from emit import Emitter, main, rss_bytes
    from initial import begin

IGNORED = -100
_RECIPE = "lora_finetune_single_device"


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says."""
    began = time.monotonic()
    import torchtune
    from omegaconf import OmegaConf
    from torchtune.modules.peft import get_adapter_state_dict

    # The wheel's folder of recipes forbids being imported as a package, so the file itself is loaded.
    file = Path(torchtune.__file__).parents[1] / "recipes" / f"{_RECIPE}.py"
    told = importlib.util.spec_from_file_location(_RECIPE, file)
    if told is None or told.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    emit("imported", rss_bytes=rss_bytes())

    cfg = OmegaConf.load(config)
    recipe = module.LoRAFinetuneRecipeSingleDevice(cfg=cfg)
    recipe.setup(cfg=cfg)
    going: progress.Progress = recipe._metric_logger.progress  # noqa: SLF001 - the recipe offers no other way
    held_out = run / "data" / "test.jsonl"
    if going.validate_every and held_out.is_file():
        rows = [json.loads(line) for line in held_out.read_text().splitlines()]
        going.validate = lambda: _loss(recipe, rows, int(cfg.batch_size))
    begin(recipe._model, int(cfg.seed), rank=int(cfg.model.lora_rank), stack="torchtune")  # noqa: SLF001
    going.loaded(began, recipe._model, recipe._optimizer, recipe._lr_scheduler)  # noqa: SLF001
    recipe.train()
    going.finish(get_adapter_state_dict(recipe._model.state_dict()), began)  # noqa: SLF001


def _loss(recipe: Any, rows: list[dict[str, Any]], batch: int) -> float:
    """Mean loss of a trained token over the rows."""
    import torch
    from torchtune.data import padded_collate_sft

    recipe._model.eval()  # noqa: SLF001
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            some = [{"tokens": r["input_ids"], "labels": r["labels"]} for r in rows[start : start + batch]]
            made = padded_collate_sft(some, padding_idx=recipe._tokenizer.pad_id)  # noqa: SLF001
            made = {name: tensor.to(recipe._device) for name, tensor in made.items()}  # noqa: SLF001
            trained = int((made["labels"][:, 1:] != IGNORED).sum())
            total += float(recipe._loss_step(made)) * trained  # noqa: SLF001
            count += trained
    recipe._model.train()  # noqa: SLF001
    return total / count


if __name__ == "__main__":
    sys.exit(main(train))
