"""What the stacks on transformers' Trainer share: axolotl, unsloth and, for settings, trl."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from finetune.errors import TrainingError
from finetune.process import reporting
from finetune.spec import RunSpec
from finetune.stacks import Job
from finetune.stacks.shared import refusals
from finetune.weights.base import public_name

SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
ATTENTION = {"sdpa": "sdpa", "flash": "flash_attention_2", "eager": "eager"}
ORDER = "order.json"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def refuse_unsupported_fields(stack: str, spec: RunSpec) -> None:
    """Refuse what we run with trl only.

    Raises:
        UnsupportedField: the spec has such a value.
    """
    refusals.refuse_preferences(stack, spec)
    refusals.refuse_other_methods(stack, spec)
    why = "each of its processes holds the whole model (DDP); trl, torchtune and litgpt can shard it (FSDP2)"
    refusals.refuse_other_values(stack, spec, {"devices.strategy": ("ddp", why)})


def render_order(spec: RunSpec, job: Job) -> dict[str, str]:
    """Return the file that says in which order the runner gives the rows to the trainer."""
    order = {"samples": spec.count_samples(job.rows), "packed": spec.data.packing}
    return {ORDER: json.dumps(order) + "\n"}


def optimisation_arguments(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Return batch sizes, steps, schedule and optimiser as arguments of transformers' Trainer."""
    t = spec.training
    return {
        "per_device_train_batch_size": t.micro_batch_size,
        "per_device_eval_batch_size": t.micro_batch_size,
        "gradient_accumulation_steps": spec.accumulation,
        "learning_rate": t.learning_rate,
        "lr_scheduler_type": SCHEDULES[t.schedule],
        "warmup_steps": job.warmup_steps,
        "max_steps": job.steps,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        "optim": name_optimizer(spec),
    }


def name_optimizer(spec: RunSpec) -> str:
    """Return transformers' name of the optimizer."""
    suffix = "_fused" if spec.training.fused_optimizer else ""
    return {"adamw": f"adamw_torch{suffix}", "paged_adamw_8bit": "paged_adamw_8bit"}[spec.training.optimizer]


def logging_arguments(spec: RunSpec, job: Job, *, validate: bool) -> dict[str, Any]:
    """Return the fields of transformers' ``TrainingArguments`` for seeds, logs and checkpoints."""
    return {
        "seed": spec.training.seed,
        "data_seed": spec.training.seed,
        "eval_strategy": "steps" if validate else "no",
        "logging_strategy": "steps",
        "logging_steps": spec.logging.every_steps,
        "logging_nan_inf_filter": False,  # True reports the mean of the earlier losses instead of a NaN
        "save_strategy": "steps",
        "save_steps": spec.logging.save_every_steps,
        "save_total_limit": spec.logging.keep_checkpoints,
        "report_to": spec.logging.report_to,
        **_name_run(spec, job),
        "disable_tqdm": True,
    }


def _name_run(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Return project and name of the run for the tool that it reports to."""
    if spec.logging.report_to == "none":
        return {}
    return {"project": reporting.PROJECT, "run_name": job.folder.name}


def export_adapter(spec: RunSpec, job: Job, source: Path) -> Path:
    """Copy the adapter from where the trainer saved it, and add the base model's name and the tokenizer.

    Raises:
        TrainingError: the trainer did not save it.
    """
    from finetune.data.template import load_tokenizer, set_template

    adapter = job.folder / "adapter"
    missing = [name for name in _ADAPTER_FILES if not (source / name).is_file()]
    if missing:
        raise TrainingError(
            f"{spec.stack} ended without writing {source / missing[0]}; see {job.folder / 'log.txt'}"
        )
    adapter.mkdir(exist_ok=True)
    if source != adapter:
        for name in _ADAPTER_FILES:
            shutil.copy2(source / name, adapter / name)
    set_base_name(adapter / "adapter_config.json", spec.model.base)
    tokenizer = load_tokenizer(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    set_template(tokenizer, spec.data.template).save_pretrained(adapter)
    return adapter


def set_base_name(config: Path, base: str) -> None:
    """Write the base model's name into an ``adapter_config.json``."""
    values = {**json.loads(config.read_text("utf-8")), "base_model_name_or_path": public_name(base)}
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
