"""unsloth: the spec as the arguments of the three calls of an unsloth script.

The names are those of unsloth 2026.10 (FastLanguageModel) and TRL (SFTConfig), taken from their sources.
unsloth's command line has no evaluation, schedule, optimiser or clipping, so we call the library. It needs an
accelerator: without one it cannot be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.spec import RunSpec
from finetune.stacks import Job, NativeConfig
from finetune.stacks.shared import hf_trainer, own_loop, refusals
from finetune.stacks.shared.runner import runner_command
from finetune.weights.family import ATTENTION, MLP

name = "unsloth"
repository = "unslothai/unsloth"
lock = Path(__file__).with_suffix(".lock")
required_packages = ("torch", "unsloth", "unsloth-zoo", "trl", "peft", "bitsandbytes")
needs_gpu = True
CONFIG = "unsloth.yaml"
_RUNNER = Path(__file__).parents[1] / "runners" / "unsloth_sft.py"


def render(spec: RunSpec, job: Job) -> NativeConfig:
    """Render one YAML file."""
    if spec.devices.kind == "cpu":
        why = "unsloth needs a GPU and cannot be imported without one; use trl here"
        raise UnsupportedField(name, "devices.kind", "cpu", why)
    hf_trainer.refuse_unsupported_fields(name, spec)
    kernels = {
        "training.attention": ("sdpa", "it chooses flash-attn, xformers or torch's attention by itself"),
        "training.liger_kernels": (False, "its own kernels replace the same layers"),
    }
    refusals.refuse_other_values(name, spec, kernels)
    if spec.method.name == "qlora":
        why = "it quantises only to NF4 with quantised scales"
        fields = {"quantisation.type": ("nf4", why), "quantisation.double": (True, why)}
        refusals.refuse_other_values(name, spec, fields)
    config = {
        "from_pretrained": _render_loading(spec, job),
        "get_peft_model": _render_adapter(spec),
        "sft": _render_training(spec, job),
        "resume_from_checkpoint": str(job.resume_from) if job.resume_from else None,
    }
    files = {CONFIG: own_loop.to_yaml(config), **hf_trainer.render_order(spec, job)}
    return NativeConfig(files, tuple(_list_deviations(spec)))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Return the command of our runner, an unsloth script; torchrun starts several processes."""
    return runner_command(python, _RUNNER, CONFIG, spec, job)


def environment(spec: RunSpec) -> Mapping[str, str]:
    """Return the common variables, and stop unsloth from fetching its statistics repository."""
    return {**own_loop.common_environment(spec), "UNSLOTH_DISABLE_STATISTICS": "1"}


def export_adapter(spec: RunSpec, job: Job) -> Path:
    """Return the adapter that the runner saved."""
    return hf_trainer.export_adapter(spec, job, job.folder / "adapter")


def _render_loading(spec: RunSpec, job: Job) -> dict[str, Any]:
    return {
        "model_name": job.base,
        "revision": spec.model.revision,
        "max_seq_length": spec.data.max_length,
        "dtype": spec.training.dtype,
        "load_in_4bit": spec.method.name == "qlora",
        "full_finetuning": False,
        "use_exact_model_name": True,  # otherwise unsloth replaces a hub id by a quantised copy
        "use_gradient_checkpointing": _choose_checkpointing(spec),
        "trust_remote_code": spec.model.trust_remote_code,
        "random_state": spec.training.seed,
        "max_lora_rank": spec.method.r,
    }


def _choose_checkpointing(spec: RunSpec) -> bool | str:
    """Return unsloth's own offloading variant if own speed-ups are on; its documentation recommends it."""
    is_on = bool(spec.training.gradient_checkpointing)
    return "unsloth" if is_on and spec.training.own_speedups else is_on


def _render_adapter(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    return {
        "r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "target_modules": [*ATTENTION, *MLP] if isinstance(method.targets, str) else list(method.targets),
        "bias": "none",
        "use_gradient_checkpointing": _choose_checkpointing(spec),
        "random_state": spec.training.seed,
        "use_rslora": method.rslora,
        "use_dora": method.dora,
    }


def _render_training(spec: RunSpec, job: Job) -> dict[str, Any]:
    t = spec.training
    validate = bool(spec.evaluation.every_steps and job.test_rows)
    config: dict[str, Any] = {
        "output_dir": str(job.work),
        "max_length": spec.data.max_length,
        "packing": spec.data.packing,
        "padding_free": None if t.own_speedups else False,  # if unset, unsloth decides
        **hf_trainer.optimisation_arguments(spec, job),
        "gradient_checkpointing": t.gradient_checkpointing,  # TRL's default is True
        "bf16": t.dtype == "bfloat16",
        "fp16": t.dtype == "float16",
        **hf_trainer.logging_arguments(spec, job, validate=validate),
        "dataset_num_proc": 1,
    }
    if validate:
        config["eval_steps"] = spec.evaluation.every_steps
    return config


def _list_deviations(spec: RunSpec) -> list[str]:
    deviations = []
    deviations.append("training.attention: unsloth uses flash-attn or xformers where they are installed")
    if not spec.training.own_speedups:
        deviations.append("training.own_speedups: unsloth's kernels cannot be turned off")
    if spec.method.dropout:
        deviations.append("method.dropout: with dropout, unsloth does not use some of its fast kernels")
    if spec.method.name == "qlora":
        deviations.append("quantisation: unsloth keeps some layers of some models in 16 bits")
    return deviations
