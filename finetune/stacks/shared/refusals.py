"""Refuse fields of a spec that a stack does not support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.errors import UnsupportedField
from finetune.sections import LORA_LIKE
from finetune.spec import RunSpec, iterate_leaves

PREFERENCE_STACKS = ("trl",)
_PREFERENCE_REASONS = {
    "axolotl": "its preferences (rl: dpo, rl: kto) are trl's trainers, which advisor runs directly",
    "litgpt": "it trains on answers only",
    "torchtune": "its DPO recipes build their own batches, and advisor can check and count only those of its "
    "recipes for answers",
    "unsloth": "its preferences are trl's trainers with its own kernels, and advisor has not measured "
    "whether their loss is the same",
}


def refuse_other_values(stack: str, spec: RunSpec, fields: Mapping[str, tuple[Any, str]]) -> None:
    """Refuse a spec if a field has another value than the only one that the stack supports.

    Args:
        stack: the stack's name.
        spec: the run spec.
        fields: field → (the supported value, why there is no other).

    Raises:
        UnsupportedField: for the first field with another value.
    """
    values = dict(iterate_leaves(spec.model_dump()))
    for name, (value, why) in fields.items():
        if values[name] != value:
            raise UnsupportedField(stack, name, values[name], why, supported_value=value)


def refuse_preferences(stack: str, spec: RunSpec) -> None:
    """Refuse all objectives except training on answers; we run the others with trl only.

    Raises:
        UnsupportedField: the spec has another objective.
    """
    if spec.method.objective != "sft":
        reason = _PREFERENCE_REASONS.get(stack, "advisor runs it for answers only")
        why = f"{reason}; use --stack {PREFERENCE_STACKS[0]}"
        raise UnsupportedField(stack, "method.objective", spec.method.objective, why)


def refuse_other_methods(stack: str, spec: RunSpec) -> None:
    """Refuse all methods except LoRA and QLoRA; we run the others with trl only.

    Raises:
        UnsupportedField: the spec has another method.
    """
    if spec.method.name not in LORA_LIKE:
        why = "we run it for LoRA and QLoRA only; use trl for the other methods"
        raise UnsupportedField(stack, "method.name", spec.method.name, why)
