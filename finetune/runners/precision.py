"""Keep the trained weights in float32 if training runs in float16."""

from __future__ import annotations

from typing import Any


def cast_trained_weights(model: Any) -> None:
    """Convert the weights that are trained to float32; the frozen ones keep their type.

    With float16, torch's ``GradScaler`` unscales the gradients: it refuses those in float16 and has no kernel
    for those in bfloat16, to which trl casts the adapter of a quantised model.
    """
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            parameter.data = parameter.data.float()
