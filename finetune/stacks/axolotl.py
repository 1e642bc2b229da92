"""axolotl: the spec as an `axolotl train` config.

The keys are those of axolotl 0.19, taken from its source. The config sets explicitly what axolotl would turn
on by itself (Triton kernels for LoRA, dropping of long rows). Our runner turns off evaluation before the
first step, for which there is no key.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.process import reporting
from finetune.spec import RunSpec
from finetune.stacks import Job, NativeConfig
from finetune.stacks.shared import hf_trainer, own_loop
from finetune.stacks.shared.runner import runner_command

name = "axolotl"
repository = "axolotl-ai-cloud/axolotl"
lock = Path(__file__).with_suffix(".lock")
required_packages = ("torch", "axolotl", "transformers", "peft", "bitsandbytes")
CONFIG = "axolotl.yaml"
_LIGER = {
    "plugins": ["axolotl.integrations.liger.LigerPlugin"],
    "liger_rope": True,
    "liger_rms_norm": True,
    "liger_glu_activation": True,
    "liger_fused_linear_cross_entropy": True,
}
_RUNNER = Path(__file__).parents[1] / "runners" / "axolotl_train.py"


def render(spec: RunSpec, job: Job) -> NativeConfig:
    """Render one YAML file."""
    hf_trainer.refuse_unsupported_fields(name, spec)
    if glob.escape(str(job.folder)) != str(job.folder):
        why = "it reads the paths of its data as patterns, so they must not contain *, ? or ["
        raise UnsupportedField(name, "output", str(job.folder), why)
    if spec.data.packing and spec.devices.kind == "cpu":
        raise UnsupportedField(name, "data.packing", True, "its packing needs the attention kernels of a GPU")
    if spec.world_size > 1 and spec.devices.kind == "cpu":
        why = "with several processes it puts the model on a GPU; trl can use several CPU processes"
        raise UnsupportedField(name, "devices.processes", spec.devices.processes, why)
    if spec.training.own_speedups and spec.devices.kind == "cpu":
        raise UnsupportedField(name, "training.own_speedups", True, "its own kernels are for GPUs")
    config = {
        **_render_model(spec, job),
        **(_LIGER if spec.training.liger_kernels else {}),
        **_render_method(spec),
        **_render_data(spec, job),
        **_render_training(spec, job),
    }
    files = {CONFIG: own_loop.to_yaml(config), **hf_trainer.render_order(spec, job)}
    return NativeConfig(files, tuple(_list_deviations(spec, job)))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Return the command of our runner around `axolotl train`; torchrun starts several processes."""
    return runner_command(python, _RUNNER, CONFIG, spec, job)


def environment(spec: RunSpec) -> Mapping[str, str]:
    """Return the common variables, and turn off axolotl's own telemetry."""
    return {**own_loop.common_environment(spec), "AXOLOTL_DO_NOT_TRACK": "1"}


def export_adapter(spec: RunSpec, job: Job) -> Path:
    """Export the adapter from the folder of checkpoints."""
    return hf_trainer.export_adapter(spec, job, job.work)


def _render_model(spec: RunSpec, job: Job) -> dict[str, Any]:
    return {
        "base_model": job.base,
        "revision_of_model": spec.model.revision,
        "trust_remote_code": spec.model.trust_remote_code,
        "tokenizer_type": "AutoTokenizer",
        "attn_implementation": hf_trainer.ATTENTION[spec.training.attention],
    }


def _render_method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    config: dict[str, Any] = {
        "adapter": method.name,
        "lora_r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "peft_use_rslora": method.rslora,
        "peft_use_dora": method.dora,
        # See its page "LoRA Optimizations"; if unset, axolotl decides.
        "lora_mlp_kernel": spec.training.own_speedups,
        "lora_qkv_kernel": spec.training.own_speedups,
        "lora_o_kernel": spec.training.own_speedups,
        "lora_embedding_kernel": False,
        "load_in_8bit": False,
        "load_in_4bit": method.name == "qlora",
    }
    if isinstance(method.targets, str):
        config["lora_target_linear"] = True
    else:
        config["lora_target_modules"] = list(method.targets)
    if method.name == "qlora":
        config["bnb_config_kwargs"] = {
            "bnb_4bit_quant_type": spec.quantisation.type,
            "bnb_4bit_use_double_quant": spec.quantisation.double,
        }
    return config


def _render_data(spec: RunSpec, job: Job) -> dict[str, Any]:
    def rows(split: str) -> dict[str, Any]:
        return {"path": str(job.work / f"{split}.jsonl"), "ds_type": "json", "type": None}

    config: dict[str, Any] = {
        "datasets": [rows("train")],
        "dataset_prepared_path": str(job.work / "prepared"),
        "shuffle_merged_datasets": False,
        "sequence_len": spec.data.max_length,
        "excess_length_strategy": "truncate",
        "sample_packing": spec.data.packing,
        "pad_to_sequence_len": spec.data.packing,
        "val_set_size": 0.0,
    }
    if spec.evaluation.every_steps and job.test_rows:
        config["test_datasets"] = [{**rows("test"), "split": "train"}]
    return config


def _render_training(spec: RunSpec, job: Job) -> dict[str, Any]:
    t = spec.training
    cuda = spec.devices.kind == "cuda"
    validate = bool(spec.evaluation.every_steps and job.test_rows)
    config: dict[str, Any] = {
        "micro_batch_size": t.micro_batch_size,
        "gradient_accumulation_steps": spec.accumulation,
        "eval_batch_size": t.micro_batch_size,
        "max_steps": job.steps,
        "num_epochs": 1 + job.steps * t.batch_size // max(1, job.rows),
        "learning_rate": t.learning_rate,
        "optimizer": hf_trainer.name_optimizer(spec),
        "lr_scheduler": hf_trainer.SCHEDULES[t.schedule],
        "warmup_steps": job.warmup_steps,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        "bf16": t.dtype == "bfloat16" and cuda,
        "bfloat16": t.dtype == "bfloat16" and not cuda,  # the weights, without autocast
        "fp16": t.dtype == "float16",
        "tf32": False,
        "gradient_checkpointing": t.gradient_checkpointing,
        "seed": t.seed,
        "output_dir": str(job.work),
        "save_strategy": "steps",
        "save_steps": spec.logging.save_every_steps,
        "save_total_limit": spec.logging.keep_checkpoints,
        "save_only_model": False,
        "eval_strategy": "steps" if validate else "no",
        "logging_steps": spec.logging.every_steps,
        "use_wandb": spec.logging.report_to == "wandb",
        **_name_run(spec, job),
        "strict": False,
    }
    if validate:
        config["eval_steps"] = spec.evaluation.every_steps
    if t.gradient_checkpointing:
        config["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    if not cuda:
        config["device"] = "cpu"
    if job.resume_from is not None:
        config["resume_from_checkpoint"] = str(job.resume_from)
    return config


def _name_run(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Return project and name of the run for the tool that it reports to."""
    names: dict[str, dict[str, Any]] = {
        "wandb": {"wandb_project": reporting.PROJECT, "wandb_name": job.folder.name},
        "trackio": {
            "use_trackio": True,
            "trackio_project_name": reporting.PROJECT,
            "trackio_run_name": job.folder.name,
        },
    }
    return names.get(spec.logging.report_to, {})


def _list_deviations(spec: RunSpec, job: Job) -> list[str]:
    deviations = []
    if spec.training.liger_kernels:
        deviations.append(
            "training.liger_kernels: axolotl's plugin also replaces the loss; its licence is the Axolotl "
            "Community License"
        )
    if job.warmup_steps == 1:
        deviations.append("training.warmup: axolotl uses 2 warm-up steps instead of 1")
    if spec.devices.kind == "cpu" and spec.training.dtype == "bfloat16":
        deviations.append("training.dtype: on a CPU the weights are bfloat16 and there is no autocast")
    return deviations
