"""axolotl: the spec as an `axolotl train` config.

Keys are those of axolotl 0.19, read in its source. What it would turn on by itself (Triton kernels for
LoRA, dropping of long rows) is set explicitly; evaluation before the first step, which no key turns off, by
our runner.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.process import spread
from finetune.spec import RunSpec
from finetune.stacks import Job, Rendered
from finetune.stacks.shared import hf_trainer, own_loop

name = "axolotl"
repository = "axolotl-ai-cloud/axolotl"
lock = Path(__file__).with_suffix(".lock")
needed = ("torch", "axolotl", "transformers", "peft", "bitsandbytes")
CONFIG = "axolotl.yaml"
_RUNNER = Path(__file__).parents[1] / "runners" / "axolotl_train.py"


def render(spec: RunSpec, job: Job) -> Rendered:
    """One YAML file."""
    hf_trainer.refuse_common(name, spec)
    if spec.data.packing and spec.devices.kind == "cpu":
        raise UnsupportedField(name, "data.packing", True, "its packing wants the attention kernels of a GPU")
    if spec.world_size > 1 and spec.devices.kind == "cpu":
        why = "as one of several processes it puts the model on a GPU; trl spreads over CPUs too"
        raise UnsupportedField(name, "devices.processes", spec.devices.processes, why)
    if spec.training.own_speedups and spec.devices.kind == "cpu":
        raise UnsupportedField(name, "training.own_speedups", True, "its own kernels are for GPUs")
    config = {**_model(spec, job), **_method(spec), **_data(spec, job), **_training(spec, job)}
    return Rendered({CONFIG: own_loop.as_yaml(config)}, tuple(_deviations(spec, job)))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Our runner around `axolotl train`, several of them through torchrun."""
    return [str(python), *spread.torchrun(spec), str(_RUNNER), str(job.native / CONFIG), str(job.folder)]


def environment(spec: RunSpec) -> Mapping[str, str]:
    """As all stacks have it; axolotl's own telemetry is off."""
    return {**own_loop.environment(spec), "AXOLOTL_DO_NOT_TRACK": "1"}


def hand_over(spec: RunSpec, job: Job) -> Path:
    """The adapter, out of the folder of checkpoints."""
    return hf_trainer.hand_over(spec, job, job.work)


def _model(spec: RunSpec, job: Job) -> dict[str, Any]:
    return {
        "base_model": job.base,
        "revision_of_model": spec.model.revision,
        "trust_remote_code": spec.model.trust_remote_code,
        "tokenizer_type": "AutoTokenizer",
        "attn_implementation": "sdpa",
    }


def _method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    config: dict[str, Any] = {
        "adapter": method.name,
        "lora_r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "peft_use_rslora": method.rslora,
        "peft_use_dora": method.dora,
        # Of its page "LoRA Optimizations"; unset, it would decide by itself.
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


def _data(spec: RunSpec, job: Job) -> dict[str, Any]:
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


def _training(spec: RunSpec, job: Job) -> dict[str, Any]:
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
        "optimizer": hf_trainer.OPTIMIZERS[t.optimizer],
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
        "use_wandb": False,
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


def _deviations(spec: RunSpec, job: Job) -> list[str]:
    told = []
    if job.warmup_steps == 1:
        told.append("training.warmup: axolotl makes 2 of a warm-up of 1 step")
    if spec.devices.kind == "cpu" and spec.training.dtype == "bfloat16":
        told.append("training.dtype: on a CPU the weights are bfloat16 and there is no autocast")
    return told
