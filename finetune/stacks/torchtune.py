"""torchtune: the spec as a config of its recipe `lora_finetune_single_device` or `lora_finetune_distributed`.

The keys are those of torchtune 0.6.1, taken from its source. The model has the sizes in the base model's
config.json, so a supported family can have any size, not only those that torchtune has a name for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UnsupportedField
from finetune.process import torchrun
from finetune.spec import RunSpec
from finetune.stacks import Job, NativeConfig
from finetune.stacks.shared import own_loop, peft_export, refusals
from finetune.weights import base, family
from finetune.weights.family import ModelFamily

name = "torchtune"
repository = "pytorch/torchtune"
lock = Path(__file__).with_suffix(".lock")
required_packages = ("torch", "torchtune", "torchao", "bitsandbytes")
SINGLE_DEVICE_RECIPE, DISTRIBUTED_RECIPE = (
    "lora_finetune_single_device.yaml",
    "lora_finetune_distributed.yaml",
)
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


def render(spec: RunSpec, job: Job) -> NativeConfig:
    """Render one YAML file."""
    own_loop.refuse_unsupported_fields(name, spec)
    if spec.method.name == "qlora":
        refusals.refuse_other_values(
            name,
            spec,
            {
                "quantisation.type": ("nf4", "torchao has NF4 only"),
                "quantisation.double": (True, "torchao always quantises the scales too"),
            },
        )
    model_family = family.read_family(name, spec)
    if spec.method.name == "qlora":
        _check_scales(spec, model_family)
    t = spec.training
    config = {
        "output_dir": str(job.work),
        "model": _render_model(spec, model_family),
        "tokenizer": {"_component_": "torchtune_parts.Tokenless", "pad_id": _read_pad_id(spec)},
        "checkpointer": {
            "_component_": "torchtune_parts.Base",
            "folder": job.base,
            "revision": spec.model.revision,
            "heads": model_family.shape.heads,
            "kv_heads": model_family.shape.kv_heads,
            "head_size": model_family.shape.head_size,
            "interleaved": model_family.has_interleaved_rope,
            "tied": model_family.shape.has_tied_embeddings,
        },
        "resume_from_checkpoint": False,  # our runner does: torchtune resumes after whole epochs only
        "save_adapter_weights_only": True,
        "dataset": {"_component_": "torchtune_parts.Rows", **own_loop.stream_arguments(spec, job)},
        "seed": t.seed,
        "shuffle": False,
        "batch_size": t.micro_batch_size,
        "gradient_accumulation_steps": spec.accumulation,
        "epochs": 1,  # our rows contain all epochs of the run, in order
        "max_steps_per_epoch": job.steps - own_loop.first_step(job),
        "optimizer": _render_optimizer(spec),
        "lr_scheduler": {
            "_component_": "torchtune_parts.schedule",
            "name": t.schedule,
            "warmup": job.warmup_steps,
            "steps": job.steps,
        },
        "loss": {"_component_": "torchtune.modules.loss.CEWithChunkedOutputLoss"},
        "clip_grad_norm": t.max_grad_norm or None,
        "compile": t.own_speedups,  # as in the measurements of its README
        "enable_activation_checkpointing": t.gradient_checkpointing,
        "enable_activation_offloading": False,
        "metric_logger": {
            "_component_": "torchtune_parts.Events",
            "run": str(job.folder),
            "rows": own_loop.stream_arguments(spec, job),
            **own_loop.progress_arguments(spec, job),
        },
        "log_every_n_steps": 1,
        "log_peak_memory_stats": False,
        "device": spec.devices.kind,
        "dtype": _DTYPES[str(t.dtype)],
    }
    return NativeConfig(
        {_config_name(spec): own_loop.to_yaml(config)}, tuple(_list_deviations(spec, model_family))
    )


def _config_name(spec: RunSpec) -> str:
    """Return the file name, which is that of the recipe."""
    return SINGLE_DEVICE_RECIPE if spec.world_size == 1 else DISTRIBUTED_RECIPE


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Return the command of our runner; torchrun starts several processes, as in `tune run`."""
    config = str(job.native / _config_name(spec))
    return [str(python), *torchrun.build_arguments(spec), str(_RUNNER), config, str(job.folder)]


def environment(spec: RunSpec) -> Mapping[str, str]:
    """Return the common variables."""
    return own_loop.common_environment(spec)


def export_adapter(spec: RunSpec, job: Job) -> Path:
    """Convert the adapter to PEFT's format."""
    model_family = family.read_family(name, spec)
    targets = family.resolve_targets(name, spec)
    return own_loop.export_adapter(spec, job, model_family, targets, peft_export.pairs_from_torchtune)


def _render_model(spec: RunSpec, model_family: ModelFamily) -> dict[str, Any]:
    shape, targets = model_family.shape, family.resolve_targets(name, spec)
    if model_family.name not in ("qwen3", "gemma") and shape.head_size * shape.heads != shape.hidden_size:
        why = f"torchtune requires a head size of hidden size / heads, and the model's is {shape.head_size}"
        raise UnsupportedField(name, "model.base", spec.model.base, why)
    # A scaling of 1 does not change the frequencies of Llama's rotary embedding. torchtune's other Llama
    # builders cannot tie the weights of the embedding and the output layer.
    extra: dict[str, dict[str, Any]] = {
        "llama": {
            "scale_factor": _rope_scaling_factor(spec, model_family),
            "tie_word_embeddings": shape.has_tied_embeddings,
        },
        "qwen2": {"tie_word_embeddings": shape.has_tied_embeddings},
        "qwen3": {"tie_word_embeddings": shape.has_tied_embeddings, "head_dim": shape.head_size},
        "gemma": {"head_dim": shape.head_size},
    }
    if model_family.name in ("mistral", "phi3") and shape.has_tied_embeddings:
        why = f"the model's output layer is tied, and torchtune's {model_family.name} cannot tie it"
        raise UnsupportedField(name, "model.base", spec.model.base, why)
    root = spec.method.r**0.5 if spec.method.rslora else 1.0  # alpha / sqrt(r) = alpha sqrt(r) / r
    config = {
        "_component_": _BUILDERS[model_family.name],
        "lora_attn_modules": [_ATTENTION[layer] for layer in targets if layer in _ATTENTION],
        "apply_lora_to_mlp": "up_proj" in targets,
        "vocab_size": shape.vocabulary_size,
        "num_layers": shape.layers,
        "num_heads": shape.heads,
        "num_kv_heads": shape.kv_heads,
        "embed_dim": shape.hidden_size,
        "intermediate_dim": shape.intermediate_size,
        "max_seq_len": spec.data.max_length,
        "norm_eps": model_family.norm_eps,
        "rope_base": int(model_family.rope_theta),
        **extra.get(model_family.name, {}),
        "lora_rank": spec.method.r,
        "lora_alpha": spec.method.alpha * root,
        "lora_dropout": spec.method.dropout,
        "quantize_base": spec.method.name == "qlora",
    }
    return config if model_family.name == "gemma" else {**config, "apply_lora_to_output": False}


def _rope_scaling_factor(spec: RunSpec, model_family: ModelFamily) -> int:
    scaling = model_family.rope_scaling
    if scaling is None:
        return 1
    names = ("low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    if tuple(scaling[key] for key in names) != (1.0, 4.0, 8192.0):
        why = "torchtune only supports the rotary scaling of Llama 3, and the model's is another"
        raise UnsupportedField(name, "model.base", spec.model.base, why)
    return int(scaling["factor"])


def _check_scales(spec: RunSpec, model_family: ModelFamily) -> None:
    """Check that the processes can share the second-level scales of each quantised layer.

    Each of these scales covers up to 256 blocks of 64 weights.

    Raises:
        UnsupportedField: the number of scales of a layer is not a multiple of the number of processes.
    """
    for layer, (inputs, outputs) in model_family.shape.linears().items():
        blocks = inputs * outputs // 64
        if (scales := blocks // math.gcd(blocks, 256)) % spec.world_size:
            field, value = ("processes", spec.devices.processes)
            if value == 1:
                field, value = "nodes", spec.devices.nodes
            why = f"{spec.world_size} processes cannot share the scales of {layer} equally ({scales})"
            raise UnsupportedField(name, f"devices.{field}", value, why)


def _render_optimizer(spec: RunSpec) -> dict[str, Any]:
    t = spec.training
    common = {"lr": t.learning_rate, "weight_decay": t.weight_decay, "betas": [0.9, 0.999], "eps": 1e-8}
    if t.optimizer == "paged_adamw_8bit":
        return {"_component_": "bitsandbytes.optim.PagedAdamW8bit", **common}
    return {"_component_": "torch.optim.AdamW", "fused": spec.training.fused_optimizer, **common}


def _read_pad_id(spec: RunSpec) -> int:
    pad_id = base.read_model_config(spec.model.base, spec.model.revision).get("pad_token_id")
    return pad_id if isinstance(pad_id, int) and pad_id >= 0 else 0


def _list_deviations(spec: RunSpec, model_family: ModelFamily) -> list[str]:
    deviations = own_loop.common_deviations(spec)
    odd_layers = [n for n, (i, o) in model_family.shape.linears().items() if i * o % 16384]
    if spec.method.name == "qlora":
        deviations.append(
            "quantisation: torchao instead of bitsandbytes: the same NF4 values, other rounding of scales"
        )
        if odd_layers:
            deviations.append(
                f"quantisation: {', '.join(odd_layers)} have fewer than 256 blocks per second-level scale"
            )
    return deviations
