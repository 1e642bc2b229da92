"""Refuse fields of a spec that a stack does not support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.errors import UnsupportedField
from finetune.sections import LORA_LIKE
from finetune.spec import RunSpec, iterate_leaves


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


def refuse_other_methods(stack: str, spec: RunSpec) -> None:
    """Refuse all methods except LoRA and QLoRA; we run the others with trl only.

    Raises:
        UnsupportedField: the spec has another method.
    """
    if spec.method.name not in LORA_LIKE:
        why = "we run it for LoRA and QLoRA only; use trl for the other methods"
        raise UnsupportedField(stack, "method.name", spec.method.name, why)
