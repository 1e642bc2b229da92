"""What a stack with model code of its own must know of a base model: its family and its constants.

trl, axolotl and unsloth run the model of transformers; torchtune and litgpt bring their own and are told
how to build it. Only families whose mathematics both sides share to the last bit are named here.
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
FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


@dataclass(frozen=True)
class Family:
    """A decoder's architecture.

    Attributes:
        name: one of `FAMILIES`, transformers' ``model_type``.
        shape: sizes.
        rope_theta: base of the rotary embedding.
        rope_scaling: of the kind ``llama3``; None without.
        norm_eps: of RMSNorm.
        context: longest position that the model knows.
        window: length of sliding-window attention; None where every token sees all before it.
    """

    name: str
    shape: base.Shape
    rope_theta: float
    rope_scaling: Mapping[str, float] | None
    norm_eps: float
    context: int
    window: int | None = None

    @property
    def fused(self) -> bool:
        """Whether transformers keeps q, k, v (and gate, up) in one matrix."""
        return self.name == "phi3"

    @property
    def interleaved(self) -> bool:
        """Whether torchtune rotates neighbouring channels, where transformers rotates the two halves."""
        return self.name in ("llama", "mistral", "gemma")


def of(stack: str, spec: RunSpec) -> Family:
    """The family of the spec's base model.

    Raises:
        UnsupportedField: it is none that the stack can be told to build.
    """
    told = base.config(spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code)
    found = read(told)
    if isinstance(found, str):
        raise UnsupportedField(stack, "model.base", spec.model.base, found)
    if found.window is not None and spec.data.max_length > found.window:
        why = f"{stack} has no sliding window, and the model's is {found.window} tokens; set data.max_length"
        raise UnsupportedField(stack, "data.max_length", spec.data.max_length, f"{why} to that at most")
    return found


def read(told: Mapping[str, Any]) -> Family | str:
    """The family from a config.json, or why there is none."""
    name = str(told.get("model_type"))
    shape = base.shape(dict(told))
    if name not in FAMILIES or shape is None:
        return f"its model_type is {name}; known: {', '.join(FAMILIES)}"
    if name in ("llama", "mistral") and (told.get("attention_bias") or told.get("mlp_bias")):
        return "its linear layers have biases"
    if name != "gemma" and told.get("hidden_act", "silu") != "silu":
        return f"its activation is {told['hidden_act']}"
    if name == "phi3" and float(told.get("partial_rotary_factor") or 1) != 1:
        return "it rotates a part of each head only"
    rope = {**(told.get("rope_scaling") or {}), **(told.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3") or (kind == "llama3" and name != "llama"):
        return f"its rotary embedding is of the kind {kind}"
    scaled = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    windowed = name in ("mistral", "phi3") or bool(told.get("use_sliding_window"))
    window = told.get("sliding_window") if windowed else None
    return Family(
        name,
        shape,
        float(rope.get("rope_theta") or told.get("rope_theta") or 10000.0),
        {key: float(rope[key]) for key in scaled} if kind == "llama3" else None,
        float(told.get("rms_norm_eps") or 1e-6),
        int(told.get("max_position_embeddings") or 2048),
        int(window) if window else None,
    )


def targets(stack: str, spec: RunSpec) -> tuple[str, ...]:
    """The trained linear layers, in the names of a model that keeps none of them together.

    Raises:
        UnsupportedField: a name is unknown, or only a part of the MLP is named.
    """
    asked = spec.method.targets
    if isinstance(asked, str):
        return ATTENTION + MLP
    names = [part for name in asked for part in FUSED.get(name, (name,))]
    unknown = sorted(set(names) - set(ATTENTION + MLP))
    if unknown:
        why = f"{', '.join(unknown)} cannot be trained there; known: {', '.join(ATTENTION + MLP)}"
        raise UnsupportedField(stack, "method.targets", list(asked), why)
    if set(names) & set(MLP) not in (set(), set(MLP)):
        why = f"it trains all of {', '.join(MLP)} or none"
        raise UnsupportedField(stack, "method.targets", list(asked), why)
    if not set(names) & set(ATTENTION):
        raise UnsupportedField(stack, "method.targets", list(asked), "it must train a layer of attention too")
    return tuple(name for name in ATTENTION + MLP if name in names)
