"""litgpt: the spec as a config of `litgpt finetune_lora`, and the base model as a litgpt model config.

The keys are those of litgpt 0.5.13, taken from its source. ``around.json`` has the settings that its command
does not support (clipping, a schedule other than its cosine); our runner applies them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.spec import RunSpec
from finetune.stacks import Job, NativeConfig
from finetune.stacks.shared import own_loop, peft_export, refusals
from finetune.stacks.shared.runner import runner_command
from finetune.weights import family
from finetune.weights.family import ATTENTION, ModelFamily

name = "litgpt"
repository = "Lightning-AI/litgpt"
lock = Path(__file__).with_suffix(".lock")
required_packages = ("torch", "litgpt", "lightning", "bitsandbytes")
CONFIG = "finetune_lora.yaml"
AROUND = "around.json"
MODEL = "model_config.yaml"
_RUNNER = Path(__file__).parents[1] / "runners" / "litgpt_lora.py"
_PRECISION = {"float32": "32-true", "bfloat16": "bf16-true"}
# litgpt chooses some code (Gemma's norms, the converter) by the first part of the model's name.
_NAMES = {
    "llama": "Llama-3",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "gemma": "Gemma",
    "phi3": "Phi-3",
}
_NEVER = 10**9


def render(spec: RunSpec, job: Job) -> NativeConfig:
    """Render the YAML of the command and of the model, and the settings of our runner."""
    own_loop.refuse_unsupported_fields(name, spec)
    fields: dict[str, tuple[Any, str]] = {
        "method.rslora": (False, "it scales by alpha / r"),
        "training.own_speedups": (False, "its documentation has none for fine-tuning"),
    }
    if spec.world_size == 1:
        fields["training.gradient_checkpointing"] = (False, "it has none for a single process")
    refusals.refuse_other_values(name, spec, fields)
    if spec.method.name == "qlora":
        why = "it quantises in a single process only"
        refusals.refuse_other_values(name, spec, {"devices.processes": (1, why), "devices.nodes": (1, why)})
    if spec.method.name == "qlora" and spec.devices.kind == "cpu":
        raise UnsupportedField(
            name, "method.name", "qlora", "its 4-bit layers do not run on a CPU; those of trl do"
        )
    model_family = family.read_family(name, spec)
    around = {
        "base": job.base,
        "revision": spec.model.revision,
        "accumulation": spec.accumulation,
        "micro_batch": spec.training.micro_batch_size,
        "rank": spec.method.r,
        "quantised": spec.method.name == "qlora",
        "qkv": [layer for layer in ATTENTION[:3] if layer in family.resolve_targets(name, spec)],
        "max_grad_norm": spec.training.max_grad_norm,
        "gradient_checkpointing": spec.training.gradient_checkpointing,
        "schedule": {"name": spec.training.schedule, "warmup": job.warmup_steps, "steps": job.steps},
        "rows": own_loop.stream_arguments(spec, job),
        "progress": own_loop.progress_arguments(spec, job),
    }
    files = {
        CONFIG: own_loop.to_yaml(_render_config(spec, job)),
        MODEL: own_loop.to_yaml(_render_model(model_family)),
        AROUND: json.dumps(around, indent=1) + "\n",
    }
    return NativeConfig(files, tuple(_list_deviations(spec)))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Return the command of our runner around litgpt's; torchrun starts several processes for Fabric."""
    return runner_command(python, _RUNNER, CONFIG, spec, job)


def environment(spec: RunSpec) -> Mapping[str, str]:
    """Return the common variables."""
    return own_loop.common_environment(spec)


def export_adapter(spec: RunSpec, job: Job) -> Path:
    """Convert the adapter to PEFT's format, and delete litgpt's copy of the base model."""
    model_family = family.read_family(name, spec)
    targets = family.resolve_targets(name, spec)
    adapter = own_loop.export_adapter(spec, job, model_family, targets, peft_export.pairs_from_litgpt)
    for file in ("complete", "lit_model.pth"):
        (job.native / "base" / file).unlink(missing_ok=True)
    return adapter


def _render_config(spec: RunSpec, job: Job) -> dict[str, Any]:
    t, targets = spec.training, family.resolve_targets(name, spec)
    quantize = f"bnb.{spec.quantisation.type}" + ("-dq" if spec.quantisation.double else "")
    remaining_steps = job.steps - own_loop.first_step(job)
    return {
        "checkpoint_dir": str(job.native / "base"),
        "out_dir": str(job.work / "litgpt"),
        "precision": _PRECISION[str(t.dtype)],
        "quantize": quantize if spec.method.name == "qlora" else None,
        "devices": spec.devices.processes,
        "num_nodes": spec.devices.nodes,
        "lora_r": spec.method.r,
        "lora_alpha": spec.method.alpha,
        "lora_dropout": spec.method.dropout,
        "lora_query": "q_proj" in targets,
        "lora_key": "k_proj" in targets,
        "lora_value": "v_proj" in targets,
        "lora_projection": "o_proj" in targets,
        "lora_mlp": "up_proj" in targets,
        "lora_head": False,
        "data": {
            "class_path": "litgpt_parts.Rows",
            "init_args": {
                "stream": own_loop.stream_arguments(spec, job),
                "val_path": str(job.data / "test.jsonl"),
            },
        },
        "train": {
            "save_interval": None,  # our runner saves: litgpt does not save the optimiser's state
            "log_interval": 1,
            "global_batch_size": t.batch_size,
            "micro_batch_size": t.micro_batch_size,
            "lr_warmup_steps": job.warmup_steps,
            "epochs": 1,  # our rows contain all epochs of the run, in order
            "max_steps": remaining_steps,
            "max_seq_length": spec.data.max_length,
        },
        "eval": {
            "interval": _NEVER,  # our runner validates
            "max_new_tokens": 1,
            "max_iters": _NEVER,
            "initial_validation": False,
            "final_validation": False,
        },
        "optimizer": _render_optimizer(spec),
        "logger_name": "csv",
        "seed": t.seed,
    }


def _render_optimizer(spec: RunSpec) -> dict[str, Any]:
    t = spec.training
    is_paged = t.optimizer == "paged_adamw_8bit"
    path = "bitsandbytes.optim.PagedAdamW8bit" if is_paged else "torch.optim.AdamW"
    arguments = {"lr": t.learning_rate, "weight_decay": t.weight_decay, "betas": [0.9, 0.999], "eps": 1e-8}
    return {"class_path": path, "init_args": arguments | ({} if is_paged else {"fused": t.fused_optimizer})}


def _render_model(model_family: ModelFamily) -> dict[str, Any]:
    shape = model_family.shape
    config: dict[str, Any] = {
        "name": f"{_NAMES[model_family.name]}-local",
        "hf_config": {"org": "local", "name": "local"},
        "block_size": model_family.context,
        "n_layer": shape.layers,
        "n_head": shape.heads,
        "n_query_groups": shape.kv_heads,
        "head_size": shape.head_size,
        "n_embd": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "vocab_size": shape.vocabulary_size,
        "padded_vocab_size": shape.vocabulary_size,
        "rotary_percentage": 1.0,
        "parallel_residual": False,
        "bias": False,
        "attn_bias": model_family.name == "qwen2",
        "norm_class_name": "RMSNorm",
        "norm_eps": model_family.norm_eps,
        "norm_qk": model_family.name == "qwen3",
        "mlp_class_name": "GemmaMLP" if model_family.name == "gemma" else "LLaMAMLP",
        "rope_base": int(model_family.rope_theta),
    }
    if model_family.name == "gemma":
        config |= {"gelu_approximate": "tanh", "scale_embeddings": True}
    if model_family.rope_scaling is not None:
        scaling = dict(model_family.rope_scaling)
        config["rope_adjustments"] = {
            "factor": scaling["factor"],
            "low_freq_factor": scaling["low_freq_factor"],
            "high_freq_factor": scaling["high_freq_factor"],
            "original_max_seq_len": int(scaling["original_max_position_embeddings"]),
        }
    return config


def _list_deviations(spec: RunSpec) -> list[str]:
    deviations = own_loop.common_deviations(spec)
    if spec.method.name == "qlora":
        deviations.append("quantisation: litgpt quantises the output layer too")
    return deviations
