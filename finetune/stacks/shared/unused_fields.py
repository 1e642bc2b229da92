"""Find fields of a spec that its other fields make useless: a run drops none of them in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from finetune.errors import SpecError
from finetune.sections import LORA_LIKE
from finetune.spec import ComposedSpec, RunSpec, iterate_leaves, override_fields

# Only these values are replaced; the others were set by a person, for this run.
_PROPOSALS = ("default", "--preset ", "run ")
_WITH_RANK = (*LORA_LIKE, "vera")


def _list_methods(*names: str) -> tuple[Callable[[RunSpec], bool], str]:
    words = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (lambda spec: spec.method.name in names), f"only {words} {'use' if len(names) > 1 else 'uses'} it"


def _has_held_out_rows(spec: RunSpec) -> bool:
    return spec.data.evaluation is not None or spec.data.evaluation_share > 0


# Field → whether the run uses it, and why another run does not.
_USES: dict[str, tuple[Callable[[RunSpec], bool], str]] = {
    "model.revision": (
        lambda spec: not Path(spec.model.base).expanduser().is_dir(),
        "the base model is a folder, which has no revisions",
    ),
    "data.evaluation_share": (
        lambda spec: spec.data.evaluation is None,
        "data.evaluation has the held-out rows",
    ),
    "method.beta": (lambda spec: spec.method.objective != "sft", "only dpo, orpo and kto use it"),
    "method.r": _list_methods(*_WITH_RANK),
    "method.alpha": _list_methods(*LORA_LIKE),
    "method.dropout": _list_methods(*_WITH_RANK),
    "method.targets": _list_methods(*LORA_LIKE, "ia3", "vera"),
    "method.rslora": _list_methods(*LORA_LIKE),
    "method.dora": _list_methods(*LORA_LIKE),
    "method.virtual_tokens": _list_methods("prompt-tuning", "prefix-tuning"),
    "quantisation.type": _list_methods("qlora"),
    "quantisation.double": _list_methods("qlora"),
    "training.epochs": (lambda spec: spec.training.steps is None, "training.steps ends the run"),
    "evaluation.every_steps": (_has_held_out_rows, "there are no held-out rows"),
    "evaluation.metrics": (
        lambda spec: spec.method.objective == "sft" or not spec.evaluation.metrics,
        "a preference says which answer is better, not which one is right",
    ),
}
_CHOICES = {"method.beta": "method.objective", "evaluation.metrics": "method.objective"}


def replace_unused_fields(composed_spec: ComposedSpec) -> tuple[ComposedSpec, dict[str, str]]:
    """Set each field that the run does not use to its default.

    Returns:
        The spec, and field → the deviation that says so.

    Raises:
        SpecError: a person set such a field.
    """
    deviations = {}
    values: dict[str, object] = {}
    for field, value, default, why in _list_unused_fields(composed_spec.spec):
        origin = composed_spec.origins.get(field, "")
        if not origin.startswith(_PROPOSALS):
            raise SpecError(
                f"this run does not use {field} = {value!r} (from {origin}): {why}; remove the setting"
            )
        values[field] = default
        deviations[field] = f"{field}: {default!r} instead of {value!r} ({origin}): {why}"
    return override_fields(composed_spec, "not used", values) if values else composed_spec, deviations


def _list_unused_fields(spec: RunSpec) -> Iterator[tuple[str, object, object, str]]:
    values = dict(iterate_leaves(spec.model_dump()))
    for field, (is_used, why) in _USES.items():
        section, _, name = field.partition(".")
        default = getattr(spec, section).__class__.model_fields[name].default
        if values[field] != default and not is_used(spec):
            yield field, values[field], default, f"{why}{_name_choice(field, spec)}"


def _name_choice(field: str, spec: RunSpec) -> str:
    if _CHOICES.get(field) == "method.objective":
        return f", and method.objective is {spec.method.objective!r}"
    if field.startswith(("method.", "quantisation.")):
        return f", and method.name is {spec.method.name!r}"
    return ""
