"""torchtune: the spec as a config of its recipe `lora_finetune_single_device` or `lora_finetune_distributed`.

Keys are those of torchtune 0.6.1, read in its source. The model is put together from the numbers in the
base's config.json, so any size of a known family trains, not only those that torchtune has a name for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.process import spread
from finetune.spec import RunSpec
from finetune.stacks import Job, Rendered
from finetune.stacks.shared import own_loop, peft_export, refusals
from finetune.weights import base, family
from finetune.weights.family import Family

name = "torchtune"
repository = "pytorch/torchtune"
lock = Path(__file__).with_suffix(".lock")
needed = ("torch", "torchtune", "torchao", "bitsandbytes")
ALONE, TOGETHER = "lora_finetune_single_device.yaml", "lora_finetune_distributed.yaml"
_RUNNER = Path(__file__).parents[1] / "runners" / "torchtune_lora.py"
_DTYPES = {"float32": "fp32", "bfloat16": "bf16"}
_BUILDERS = {
    "llama": "torchtune.models.llama3_2.lora_llama3_2",
    "mistral": "torchtune.models.mistral.lora_mistral",
    "qwen2": "torchtune.models.qwen2.lora_qwen2",
    "qwen3": "torchtune_parts.lora_qwen3",
    "gemma": "torchtune.models.gemma.lora_gemma",
    "phi3": "torchtune.models.phi3.lora_phi3",
}
_ATTENTION = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "o_proj": "output_proj"}


def render(spec: RunSpec, job: Job) -> Rendered:
    """One YAML file."""
    own_loop.refuse_common(name, spec)
    if spec.method.name == "qlora":
        refusals.refuse(
            name,
            spec,
            {
                "quantisation.type": ("nf4", "torchao has NF4 alone"),
                "quantisation.double": (True, "torchao always quantises the scales too"),
            },
        )
    known = family.of(name, spec)
    if spec.method.name == "qlora":
        _can_share_scales(spec, known)
    t = spec.training
    config = {
        "output_dir": str(job.work),
        "model": _model(spec, known),
        "tokenizer": {"_component_": "torchtune_parts.Tokenless", "pad_id": _pad(spec)},
        "checkpointer": {
            "_component_": "torchtune_parts.Base",
            "folder": job.base,
            "revision": spec.model.revision,
            "heads": known.shape.heads,
            "kv_heads": known.shape.kv_heads,
            "head_size": known.shape.head_size,
            "interleaved": known.interleaved,
            "tied": known.shape.tied,
        },
        "resume_from_checkpoint": False,  # ours: torchtune's own resumes at the ends of epochs only
        "save_adapter_weights_only": True,
        "dataset": {"_component_": "torchtune_parts.Rows", **own_loop.rows(spec, job)},
        "seed": t.seed,
        "shuffle": False,
        "batch_size": t.micro_batch_size,
        "gradient_accumulation_steps": spec.accumulation,
        "epochs": 1,  # of our rows, which stand in the order of all epochs of the run
        "max_steps_per_epoch": job.steps - own_loop.first_step(job),
        "optimizer": _optimizer(spec),
        "lr_scheduler": {
            "_component_": "torchtune_parts.schedule",
            "name": t.schedule,
            "warmup": job.warmup_steps,
            "steps": job.steps,
        },
        "loss": {"_component_": "torchtune.modules.loss.CEWithChunkedOutputLoss"},
        "clip_grad_norm": t.max_grad_norm or None,
        "compile": t.own_speedups,  # what its README measures with
        "enable_activation_checkpointing": t.gradient_checkpointing,
        "enable_activation_offloading": False,
        "metric_logger": {
            "_component_": "torchtune_parts.Events",
            "run": str(job.folder),
            "rows": own_loop.rows(spec, job),
            **own_loop.progress(spec, job),
        },
        "log_every_n_steps": 1,
        "log_peak_memory_stats": False,
        "device": spec.devices.kind,
        "dtype": _DTYPES[str(t.dtype)],
    }
    return Rendered({_config(spec): own_loop.as_yaml(config)}, tuple(_deviations(spec, job, known)))


def _config(spec: RunSpec) -> str:
    """The file is named after the recipe that it is for."""
    return ALONE if spec.world_size == 1 else TOGETHER


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Our runner around torchtune's recipe, several of them through torchrun, as `tune run` does."""
    config = str(job.native / _config(spec))
    return [str(python), *spread.torchrun(spec), str(_RUNNER), config, str(job.folder)]


def environment(spec: RunSpec) -> Mapping[str, str]:
    """As all stacks have it."""
    return own_loop.environment(spec)


def hand_over(spec: RunSpec, job: Job) -> Path:
    """The adapter in PEFT's form, by our own conversion."""
    known = family.of(name, spec)
    trained = family.targets(name, spec)
    return own_loop.hand_over(spec, job, known, trained, peft_export.from_torchtune)


def _model(spec: RunSpec, known: Family) -> dict[str, Any]:
    shape, trained = known.shape, family.targets(name, spec)
    if known.name not in ("qwen3", "gemma") and shape.head_size * shape.heads != shape.hidden:
        why = f"its head size {shape.head_size} is not hidden size / heads, which torchtune takes for granted"
        raise UnsupportedField(name, "model.base", spec.model.base, why)
    # Scaling 1 leaves the frequencies of Llama's rotary embedding as they are; torchtune's other Llamas
    # cannot share the embedding's weights with the output layer.
    extra: dict[str, dict[str, Any]] = {
        "llama": {"scale_factor": _scaling(spec, known), "tie_word_embeddings": shape.tied},
        "qwen2": {"tie_word_embeddings": shape.tied},
        "qwen3": {"tie_word_embeddings": shape.tied, "head_dim": shape.head_size},
        "gemma": {"head_dim": shape.head_size},
    }
    if known.name in ("mistral", "phi3") and shape.tied:
        why = f"torchtune's {known.name} has an output layer of its own, the model's is tied"
        raise UnsupportedField(name, "model.base", spec.model.base, why)
    root = spec.method.r**0.5 if spec.method.rslora else 1.0  # alpha / sqrt(r) = alpha sqrt(r) / r
    config = {
        "_component_": _BUILDERS[known.name],
        "lora_attn_modules": [_ATTENTION[one] for one in trained if one in _ATTENTION],
        "apply_lora_to_mlp": "up_proj" in trained,
        "vocab_size": shape.vocabulary,
        "num_layers": shape.layers,
        "num_heads": shape.heads,
        "num_kv_heads": shape.kv_heads,
        "embed_dim": shape.hidden,
        "intermediate_dim": shape.intermediate,
        "max_seq_len": spec.data.max_length,
        "norm_eps": known.norm_eps,
        "rope_base": int(known.rope_theta),
        **extra.get(known.name, {}),
        "lora_rank": spec.method.r,
        "lora_alpha": spec.method.alpha * root,
        "lora_dropout": spec.method.dropout,
        "quantize_base": spec.method.name == "qlora",
    }
    return config if known.name == "gemma" else {**config, "apply_lora_to_output": False}


def _scaling(spec: RunSpec, known: Family) -> int:
    told = known.rope_scaling
    if told is None:
        return 1
    usual = (told["low_freq_factor"], told["high_freq_factor"], told["original_max_position_embeddings"])
    if usual != (1.0, 4.0, 8192.0):
        why = "its rotary scaling is not Llama 3's, whose other constants torchtune has fixed"
        raise UnsupportedField(name, "model.base", spec.model.base, why)
    return int(told["factor"])


def _can_share_scales(spec: RunSpec, known: Family) -> None:
    """A quantised weight is dealt out by its scales of scales, each of 256 blocks of 64 weights at most.

    Raises:
        UnsupportedField: a layer has a number of them that the processes do not divide.
    """
    for layer, (inputs, outputs) in known.shape.linears().items():
        blocks = inputs * outputs // 64
        if (scales := blocks // math.gcd(blocks, 256)) % spec.world_size:
            field, asked = ("processes", spec.devices.processes)
            if asked == 1:
                field, asked = "nodes", spec.devices.nodes
            why = f"the {scales} scales of {layer} cannot be dealt out to {spec.world_size} processes"
            raise UnsupportedField(name, f"devices.{field}", asked, why)


def _optimizer(spec: RunSpec) -> dict[str, Any]:
    t = spec.training
    common = {"lr": t.learning_rate, "weight_decay": t.weight_decay, "betas": [0.9, 0.999], "eps": 1e-8}
    if t.optimizer == "paged_adamw_8bit":
        return {"_component_": "bitsandbytes.optim.PagedAdamW8bit", **common}
    return {"_component_": "torch.optim.AdamW", "fused": True, **common}


def _pad(spec: RunSpec) -> int:
    told = base.config(spec.model.base, spec.model.revision).get("pad_token_id")
    return told if isinstance(told, int) and told >= 0 else 0


def _deviations(spec: RunSpec, job: Job, known: Family) -> list[str]:
    told = own_loop.deviations(spec, job)
    odd = [n for n, (i, o) in known.shape.linears().items() if i * o % 16384]
    if spec.method.name == "qlora":
        told.append(
            "quantisation: by torchao, not bitsandbytes; the same code book, other rounding of the scales"
        )
        if odd:
            told.append(f"quantisation: {', '.join(odd)} share a scale over fewer than 256 blocks")
    return told
