"""Family and constants of a base model, for stacks with their own model code.

trl, axolotl and unsloth run the model of transformers. torchtune and litgpt build their own model and
need its constants. `FAMILIES` lists only families whose computation is the same in both, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune.errors import UnsupportedField
from finetune.spec import RunSpec
from finetune.weights import base

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma", "phi3")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
FUSED_LAYERS = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


@dataclass(frozen=True)
class ModelFamily:
    """A decoder's architecture.

    Attributes:
        name: one of `FAMILIES`, transformers' ``model_type``.
        shape: its sizes.
        rope_theta: base of the rotary embedding.
        rope_scaling: constants of ``llama3`` scaling, or None.
        norm_eps: epsilon of RMSNorm.
        context: longest position of the model.
        window: length of sliding-window attention, or None for full attention.
    """

    name: str
    shape: base.Shape
    rope_theta: float
    rope_scaling: Mapping[str, float] | None
    norm_eps: float
    context: int
    window: int | None = None

    @property
    def has_fused_projections(self) -> bool:
        """Whether transformers stores q, k, v (and gate, up) in one matrix."""
        return self.name == "phi3"

    @property
    def has_interleaved_rope(self) -> bool:
        """Whether torchtune rotates neighbouring channels, and transformers two halves."""
        return self.name in ("llama", "mistral", "gemma")


def read_family(stack: str, spec: RunSpec) -> ModelFamily:
    """Return the family of the spec's base model.

    Raises:
        UnsupportedField: the stack cannot build this model.
    """
    model = spec.model
    model_config = base.read_model_config(
        model.base, model.revision, trust_remote_code=model.trust_remote_code
    )
    family = parse_family(model_config)
    if isinstance(family, str):
        raise UnsupportedField(stack, "model.base", model.base, family)
    if family.window is not None and spec.data.max_length > family.window:
        why = (
            f"the model's sliding window has {family.window} tokens, and {stack} has no sliding window; "
            f"set data.max_length to {family.window} or less"
        )
        raise UnsupportedField(stack, "data.max_length", spec.data.max_length, why)
    return family


def parse_family(model_config: Mapping[str, Any]) -> ModelFamily | str:
    """Return the family from a config.json, or the reason why it is not supported."""
    name = str(model_config.get("model_type"))
    shape = base.read_shape(dict(model_config))
    if name not in FAMILIES or shape is None:
        return f"its model_type is {name}; supported: {', '.join(FAMILIES)}"
    if name in ("llama", "mistral") and (model_config.get("attention_bias") or model_config.get("mlp_bias")):
        return "its linear layers have biases"
    if name != "gemma" and model_config.get("hidden_act", "silu") != "silu":
        return f"its activation is {model_config['hidden_act']}"
    if name == "phi3" and float(model_config.get("partial_rotary_factor") or 1) != 1:
        return "it rotates only a part of each head"
    try:
        return _build_family(name, shape, model_config)
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        return f"its config.json has an unexpected value: {type(error).__name__}: {error}"


def _build_family(name: str, shape: base.Shape, model_config: Mapping[str, Any]) -> ModelFamily | str:
    rope = {**(model_config.get("rope_scaling") or {}), **(model_config.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3") or (kind == "llama3" and name != "llama"):
        return f"its rotary embedding has the type {kind}"
    scaling_keys = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    has_window = name in ("mistral", "phi3") or bool(model_config.get("use_sliding_window"))
    window = model_config.get("sliding_window") if has_window else None
    return ModelFamily(
        name,
        shape,
        float(rope.get("rope_theta") or model_config.get("rope_theta") or 10000.0),
        {key: float(rope[key]) for key in scaling_keys} if kind == "llama3" else None,
        float(model_config.get("rms_norm_eps") or 1e-6),
        int(model_config.get("max_position_embeddings") or 2048),
        int(window) if window else None,
    )


def resolve_targets(stack: str, spec: RunSpec) -> tuple[str, ...]:
    """Return the trained linear layers, as named in a model without fused matrices.

    Raises:
        UnsupportedField: a target is unknown, or the targets are only a part of the MLP.
    """
    targets = spec.method.targets
    if isinstance(targets, str):
        return ATTENTION + MLP
    names = [part for name in targets for part in FUSED_LAYERS.get(name, (name,))]
    unknown = sorted(set(names) - set(ATTENTION + MLP))
    if unknown:
        why = f"{stack} cannot train {', '.join(unknown)}; supported: {', '.join(ATTENTION + MLP)}"
        raise UnsupportedField(stack, "method.targets", list(targets), why)
    if set(names) & set(MLP) not in (set(), set(MLP)):
        why = f"{stack} trains all of {', '.join(MLP)} or none of them"
        raise UnsupportedField(stack, "method.targets", list(targets), why)
    if not set(names) & set(ATTENTION):
        why = f"{stack} needs at least one attention layer ({', '.join(ATTENTION)})"
        raise UnsupportedField(stack, "method.targets", list(targets), why)
    return tuple(name for name in ATTENTION + MLP if name in names)
