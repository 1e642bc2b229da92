"""What a stack cannot do, said of the field that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.errors import UnsupportedField
from finetune.spec import LORA_LIKE, RunSpec, leaves


def refuse(stack: str, spec: RunSpec, fields: Mapping[str, tuple[Any, str]]) -> None:
    """Refuse a spec whose leaf differs from the one value that the stack can do.

    Args:
        stack: its name.
        spec: the run.
        fields: leaf → (the value that can be, why no other can).

    Raises:
        UnsupportedField: the first leaf that does.
    """
    values = dict(leaves(spec.model_dump()))
    for name, (possible, why) in fields.items():
        if values[name] != possible:
            raise UnsupportedField(stack, name, values[name], why)


def refuse_other_methods(stack: str, spec: RunSpec) -> None:
    """Refuse all methods but LoRA and QLoRA: the others are run with trl alone.

    Raises:
        UnsupportedField: the spec asks for one.
    """
    if spec.method.name not in LORA_LIKE:
        why = "it is run for LoRA and QLoRA; trl does the other methods"
        raise UnsupportedField(stack, "method.name", spec.method.name, why)
