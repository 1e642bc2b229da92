"""Replace a default, a preset or a proposal for this machine where the stack supports another value only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from finetune.errors import UnsupportedField
from finetune.spec import ComposedSpec, override_fields
from finetune.stacks import Job, NativeConfig, Stack
from finetune.stacks.shared.unused_fields import replace_unused_fields

_PROPOSALS = ("default", "machine:", "--preset ")


def render_with_fallbacks(
    stack: Stack, composed_spec: ComposedSpec, build_job: Callable[[ComposedSpec], Job]
) -> tuple[ComposedSpec, NativeConfig]:
    """Render the native config; only a value that a person set can be refused.

    A field that the run does not use gets its default.

    Args:
        stack: the stack.
        composed_spec: the resolved spec with the origin of each value.
        build_job: called with the spec; returns the input of the stack.

    Returns:
        The spec with the replaced values, and the native config, which has each of them as a deviation.

    Raises:
        UnsupportedField: the stack does not support a value, and a person set it or there is no other.
        SpecError: a person set a field that the run does not use.
    """
    composed_spec, deviations = replace_unused_fields(composed_spec)
    while True:
        try:
            config = stack.render(composed_spec.spec, build_job(composed_spec))
        except UnsupportedField as error:
            origin = composed_spec.origins.get(error.field, "")
            is_proposal = origin.startswith(_PROPOSALS) and error.field not in deviations
            if error.supported_value is None or not is_proposal:
                raise
            new, old = error.supported_value, error.value
            deviations[error.field] = f"{error.field}: {new} instead of {old} ({origin}): {error.why}"
            source = f"{stack.name}, instead of {old} ({origin})"
            composed_spec = override_fields(composed_spec, source, {error.field: new})
        else:
            return composed_spec, replace(config, deviations=(*config.deviations, *deviations.values()))
