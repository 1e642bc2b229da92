"""litgpt: the spec as a config of `litgpt finetune_lora`, and the base model described in litgpt's words.

Keys are those of litgpt 0.5.13, read in its source. What its command cannot be told (clipping, a schedule
other than its cosine) stands in ``around.json`` and is put around it by our runner.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.process import spread
from finetune.spec import RunSpec
from finetune.stacks import Job, Rendered
from finetune.stacks.shared import own_loop, peft_export, refusals
from finetune.weights import family
from finetune.weights.family import ATTENTION, Family

name = "litgpt"
repository = "Lightning-AI/litgpt"
lock = Path(__file__).with_suffix(".lock")
needed = ("torch", "litgpt", "lightning", "bitsandbytes")
CONFIG = "finetune_lora.yaml"
AROUND = "around.json"
MODEL = "model_config.yaml"
_RUNNER = Path(__file__).parents[1] / "runners" / "litgpt_lora.py"
_PRECISION = {"float32": "32-true", "bfloat16": "bf16-true"}
# litgpt takes some of a model's ways (Gemma's norms, the converter) from the beginning of its name.
_NAMES = {
    "llama": "Llama-3",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "gemma": "Gemma",
    "phi3": "Phi-3",
}
_NEVER = 10**9


def render(spec: RunSpec, job: Job) -> Rendered:
    """The command's YAML, the model's, and what our runner puts around."""
    own_loop.refuse_common(name, spec)
    fields: dict[str, tuple[Any, str]] = {
        "method.rslora": (False, "it scales by alpha / r"),
        "training.own_speedups": (False, "its documents name none for fine-tuning"),
    }
    if spec.world_size == 1:
        fields["training.gradient_checkpointing"] = (False, "its single-process run has none")
    refusals.refuse(name, spec, fields)
    if spec.method.name == "qlora":
        why = "it quantises in one process alone"
        refusals.refuse(name, spec, {"devices.processes": (1, why), "devices.nodes": (1, why)})
    if spec.method.name == "qlora" and spec.devices.kind == "cpu":
        raise UnsupportedField(name, "method.name", "qlora", "its 4-bit layers refuse a CPU; trl's do not")
    known = family.of(name, spec)
    around = {
        "base": job.base,
        "revision": spec.model.revision,
        "accumulation": spec.accumulation,
        "micro_batch": spec.training.micro_batch_size,
        "rank": spec.method.r,
        "qkv": [one for one in ATTENTION[:3] if one in family.targets(name, spec)],
        "max_grad_norm": spec.training.max_grad_norm,
        "gradient_checkpointing": spec.training.gradient_checkpointing,
        "schedule": {"name": spec.training.schedule, "warmup": job.warmup_steps, "steps": job.steps},
        "rows": own_loop.rows(spec, job),
        "progress": own_loop.progress(spec, job),
    }
    files = {
        CONFIG: own_loop.as_yaml(_config(spec, job)),
        MODEL: own_loop.as_yaml(_model(known)),
        AROUND: json.dumps(around, indent=1) + "\n",
    }
    return Rendered(files, tuple(_deviations(spec, job)))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Our runner around litgpt's command; several through torchrun, which Lightning's Fabric knows."""
    return [str(python), *spread.torchrun(spec), str(_RUNNER), str(job.native / CONFIG), str(job.folder)]


def environment(spec: RunSpec) -> Mapping[str, str]:
    """As all stacks have it."""
    return own_loop.environment(spec)


def hand_over(spec: RunSpec, job: Job) -> Path:
    """The adapter in PEFT's form, by our own conversion; litgpt's copy of the base goes."""
    known = family.of(name, spec)
    trained = family.targets(name, spec)
    adapter = own_loop.hand_over(spec, job, known, trained, peft_export.from_litgpt)
    for file in ("complete", "lit_model.pth"):
        (job.native / "base" / file).unlink(missing_ok=True)
    return adapter


def _config(spec: RunSpec, job: Job) -> dict[str, Any]:
    t, trained = spec.training, family.targets(name, spec)
    quantize = f"bnb.{spec.quantisation.type}" + ("-dq" if spec.quantisation.double else "")
    left = job.steps - own_loop.first_step(job)
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
        "lora_query": "q_proj" in trained,
        "lora_key": "k_proj" in trained,
        "lora_value": "v_proj" in trained,
        "lora_projection": "o_proj" in trained,
        "lora_mlp": "up_proj" in trained,
        "lora_head": False,
        "data": {
            "class_path": "litgpt_parts.Rows",
            "init_args": {**own_loop.rows(spec, job), "val_path": str(job.data / "test.jsonl")},
        },
        "train": {
            "save_interval": None,  # ours: litgpt's own keeps no state of the optimiser
            "log_interval": 1,
            "global_batch_size": t.batch_size,
            "micro_batch_size": t.micro_batch_size,
            "lr_warmup_steps": job.warmup_steps,
            "epochs": 1,  # of our rows, which stand in the order of all epochs of the run
            "max_steps": left,
            "max_seq_length": spec.data.max_length,
        },
        "eval": {
            "interval": _NEVER,  # validation is asked for by our progress
            "max_new_tokens": 1,
            "max_iters": _NEVER,
            "initial_validation": False,
            "final_validation": False,
        },
        "optimizer": _optimizer(spec),
        "logger_name": "csv",
        "seed": t.seed,
    }


def _optimizer(spec: RunSpec) -> dict[str, Any]:
    t = spec.training
    paged = t.optimizer == "paged_adamw_8bit"
    path = "bitsandbytes.optim.PagedAdamW8bit" if paged else "torch.optim.AdamW"
    told = {"lr": t.learning_rate, "weight_decay": t.weight_decay, "betas": [0.9, 0.999], "eps": 1e-8}
    return {"class_path": path, "init_args": told}


def _model(known: Family) -> dict[str, Any]:
    shape = known.shape
    config: dict[str, Any] = {
        "name": f"{_NAMES[known.name]}-local",
        "hf_config": {"org": "local", "name": "local"},
        "block_size": known.context,
        "n_layer": shape.layers,
        "n_head": shape.heads,
        "n_query_groups": shape.kv_heads,
        "head_size": shape.head_size,
        "n_embd": shape.hidden,
        "intermediate_size": shape.intermediate,
        "vocab_size": shape.vocabulary,
        "padded_vocab_size": shape.vocabulary,
        "rotary_percentage": 1.0,
        "parallel_residual": False,
        "bias": False,
        "attn_bias": known.name == "qwen2",
        "norm_class_name": "RMSNorm",
        "norm_eps": known.norm_eps,
        "norm_qk": known.name == "qwen3",
        "mlp_class_name": "GemmaMLP" if known.name == "gemma" else "LLaMAMLP",
        "rope_base": int(known.rope_theta),
    }
    if known.name == "gemma":
        config |= {"gelu_approximate": "tanh", "scale_embeddings": True}
    if known.rope_scaling is not None:
        told = dict(known.rope_scaling)
        config["rope_adjustments"] = {
            "factor": told["factor"],
            "low_freq_factor": told["low_freq_factor"],
            "high_freq_factor": told["high_freq_factor"],
            "original_max_seq_len": int(told["original_max_position_embeddings"]),
        }
    return config


def _deviations(spec: RunSpec, job: Job) -> list[str]:
    told = own_loop.deviations(spec, job)
    if spec.method.name == "qlora":
        told.append("quantisation: litgpt quantises the output layer too")
        if spec.training.optimizer == "adamw":
            told.append(
                "training.optimizer: under quantisation litgpt takes bitsandbytes' paged AdamW (32 bits)"
            )
    return told
