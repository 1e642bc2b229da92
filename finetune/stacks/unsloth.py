"""unsloth: the spec as the arguments of the three calls of an unsloth script.

Names are those of unsloth 2026.10 (FastLanguageModel) and TRL (SFTConfig), read in their sources. Its
command line knows no evaluation, schedule, optimiser or clipping, so the library itself is called. It
needs an accelerator: it cannot be imported without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.process import spread
from finetune.spec import RunSpec
from finetune.stacks import Job, Rendered
from finetune.stacks.shared import hf_trainer, own_loop, refusals
from finetune.weights.family import ATTENTION, MLP

name = "unsloth"
repository = "unslothai/unsloth"
lock = Path(__file__).with_suffix(".lock")
needed = ("torch", "unsloth", "unsloth-zoo", "trl", "peft", "bitsandbytes")
CONFIG = "unsloth.yaml"
_RUNNER = Path(__file__).parents[1] / "runners" / "unsloth_sft.py"


def render(spec: RunSpec, job: Job) -> Rendered:
    """One YAML file."""
    if spec.devices.kind == "cpu":
        why = "unsloth trains on GPUs alone and refuses to be imported without one; take trl here"
        raise UnsupportedField(name, "devices.kind", "cpu", why)
    hf_trainer.refuse_common(name, spec)
    fixed = "it quantises to NF4 with quantised scales alone"
    if spec.method.name == "qlora":
        fields = {"quantisation.type": ("nf4", fixed), "quantisation.double": (True, fixed)}
        refusals.refuse(name, spec, fields)
    config = {
        "from_pretrained": _loading(spec, job),
        "get_peft_model": _adapter(spec),
        "sft": _training(spec, job),
        "resume_from_checkpoint": str(job.resume_from) if job.resume_from else None,
    }
    return Rendered({CONFIG: own_loop.as_yaml(config)}, tuple(_deviations(spec)))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Our runner, which is an unsloth script; several of them under torchrun, which its loader looks for."""
    return [str(python), *spread.torchrun(spec), str(_RUNNER), str(job.native / CONFIG), str(job.folder)]


def environment(spec: RunSpec) -> Mapping[str, str]:
    """As all stacks have it; unsloth fetches no statistics repository."""
    return {**own_loop.environment(spec), "UNSLOTH_DISABLE_STATISTICS": "1"}


def hand_over(spec: RunSpec, job: Job) -> Path:
    """The adapter lies where the runner saved it."""
    return hf_trainer.hand_over(spec, job, job.folder / "adapter")


def _loading(spec: RunSpec, job: Job) -> dict[str, Any]:
    return {
        "model_name": job.base,
        "revision": spec.model.revision,
        "max_seq_length": spec.data.max_length,
        "dtype": spec.training.dtype,
        "load_in_4bit": spec.method.name == "qlora",
        "full_finetuning": False,
        "use_exact_model_name": True,  # else a hub id is swapped for a quantised copy of it
        "use_gradient_checkpointing": _checkpointing(spec),
        "trust_remote_code": spec.model.trust_remote_code,
        "random_state": spec.training.seed,
        "max_lora_rank": spec.method.r,
    }


def _checkpointing(spec: RunSpec) -> bool | str:
    """Its own offloading form of it is what its documents recommend."""
    on = bool(spec.training.gradient_checkpointing)
    return "unsloth" if on and spec.training.own_speedups else on


def _adapter(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    return {
        "r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "target_modules": [*ATTENTION, *MLP] if isinstance(method.targets, str) else list(method.targets),
        "bias": "none",
        "use_gradient_checkpointing": _checkpointing(spec),
        "random_state": spec.training.seed,
        "use_rslora": method.rslora,
        "use_dora": method.dora,
    }


def _training(spec: RunSpec, job: Job) -> dict[str, Any]:
    t = spec.training
    validate = bool(spec.evaluation.every_steps and job.test_rows)
    config: dict[str, Any] = {
        "output_dir": str(job.work),
        "max_length": spec.data.max_length,
        "packing": spec.data.packing,
        "padding_free": None if t.own_speedups else False,  # unset, unsloth decides by itself
        "per_device_train_batch_size": t.micro_batch_size,
        "per_device_eval_batch_size": t.micro_batch_size,
        "gradient_accumulation_steps": spec.accumulation,
        "learning_rate": t.learning_rate,
        "lr_scheduler_type": hf_trainer.SCHEDULES[t.schedule],
        "warmup_steps": job.warmup_steps,
        "max_steps": job.steps,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        "optim": hf_trainer.OPTIMIZERS[t.optimizer],
        "bf16": t.dtype == "bfloat16",
        "fp16": t.dtype == "float16",
        **hf_trainer.seeded_and_logged(spec, validate=validate),
        "dataset_num_proc": 1,
    }
    if validate:
        config["eval_steps"] = spec.evaluation.every_steps
    return config


def _deviations(spec: RunSpec) -> list[str]:
    told = [] if spec.training.own_speedups else ["training.own_speedups: its kernels cannot be turned off"]
    if spec.method.dropout:
        told.append("method.dropout: with dropout some of unsloth's fast paths are off")
    if spec.method.name == "qlora":
        told.append("quantisation: unsloth keeps some layers of some models in 16 bits")
    return told
