"""What the stacks on transformers' Trainer share: axolotl and unsloth, and of the settings trl."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from finetune.errors import TrainingFailed
from finetune.spec import RunSpec
from finetune.stacks import Job
from finetune.stacks.shared import refusals

SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
OPTIMIZERS = {"adamw": "adamw_torch_fused", "paged_adamw_8bit": "paged_adamw_8bit"}
_KEPT = ("adapter_config.json", "adapter_model.safetensors")


def refuse_common(stack: str, spec: RunSpec) -> None:
    """Refuse what we run on trl alone.

    Raises:
        UnsupportedField: the spec asks for it.
    """
    refusals.refuse_other_methods(stack, spec)
    alone = "its processes hold the whole model each (DDP); trl, torchtune and litgpt share it out (FSDP2)"
    refusals.refuse(stack, spec, {"devices.strategy": ("ddp", alone)})


def seeded_and_logged(spec: RunSpec, *, validate: bool) -> dict[str, Any]:
    """The fields of transformers' ``TrainingArguments`` for seeds, log and checkpoints."""
    return {
        "seed": spec.training.seed,
        "data_seed": spec.training.seed,
        "eval_strategy": "steps" if validate else "no",
        "logging_strategy": "steps",
        "logging_steps": spec.logging.every_steps,
        "logging_nan_inf_filter": False,  # True would report a NaN as the mean of the losses before it
        "save_strategy": "steps",
        "save_steps": spec.logging.save_every_steps,
        "save_total_limit": spec.logging.keep_checkpoints,
        "report_to": "none",
        "disable_tqdm": True,
    }


def hand_over(spec: RunSpec, job: Job, source: Path) -> Path:
    """The adapter from where the trainer saved it, with the base's name and the tokenizer of the run.

    Raises:
        TrainingFailed: it is not there.
    """
    from finetune.data.template import load_tokenizer, with_template

    adapter = job.folder / "adapter"
    missing = [name for name in _KEPT if not (source / name).is_file()]
    if missing:
        raise TrainingFailed(
            f"{spec.stack} ended without writing {source / missing[0]}; see {job.folder / 'log.txt'}"
        )
    adapter.mkdir(exist_ok=True)
    if source != adapter:
        for name in _KEPT:
            shutil.copy2(source / name, adapter / name)
    config = adapter / "adapter_config.json"
    told = {**json.loads(config.read_text("utf-8")), "base_model_name_or_path": spec.model.base}
    config.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", "utf-8")
    tokenizer = load_tokenizer(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    with_template(tokenizer, spec.data.template).save_pretrained(adapter)
    return adapter
