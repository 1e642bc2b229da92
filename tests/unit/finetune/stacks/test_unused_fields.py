"""A field that a run does not use is refused if a person set it, else replaced and recorded."""

from __future__ import annotations

import re

import pytest

from finetune.errors import SpecError
from finetune.spec import PRESETS, compose_spec, iterate_leaves, nest_leaves
from finetune.stacks.shared.unused_fields import replace_unused_fields

BASE = ("base", {"model": {"base": "m"}, "data": {"train": "d"}})


def compose(source="--set", **fields):
    return compose_spec([BASE, (source, nest_leaves({"method.name": "lora", **fields}))])


@pytest.mark.parametrize(("fields", "message"), [
    ({"method.beta": 0.5}, "only dpo, orpo and kto use it, and method.objective is 'sft'"),
    ({"method.name": "full", "method.r": 8}, "only lora, qlora and vera use it, and method.name is 'full'"),
    ({"method.name": "full", "method.targets": ["q_proj"]}, "only lora, qlora, ia3 and vera use it"),
    ({"method.name": "ia3", "method.dropout": 0.1}, "only lora, qlora and vera use it"),
    ({"method.name": "vera", "method.alpha": 8}, "only lora and qlora use it"),
    ({"method.name": "ia3", "method.dora": True}, "only lora and qlora use it"),
    ({"method.name": "full", "method.rslora": True}, "only lora and qlora use it"),
    ({"method.virtual_tokens": 5}, "only prompt-tuning and prefix-tuning use it"),
    ({"quantisation.type": "fp4"}, "only qlora uses it, and method.name is 'lora'"),
    ({"quantisation.double": False}, "only qlora uses it"),
    ({"training.steps": 9, "training.epochs": 3.0}, "training.steps ends the run"),
    ({"data.evaluation": "e", "data.evaluation_share": 0.3}, "data.evaluation has the held-out rows"),
    ({"data.evaluation_share": 0.0, "evaluation.every_steps": 5}, "there are no held-out rows"),
    ({"method.objective": "dpo", "evaluation.metrics": ["exact-match"]}, "not which one is right"),
    ({"model.base": ".", "model.revision": "abc"}, "the base model is a folder, which has no revisions"),
])  # fmt: skip
def test_field_of_a_person_is_refused_with_the_reason(fields, message):
    name = list(fields)[-1]
    start = re.escape(f"this run does not use {name} = ") + r".* \(from --set\): "
    with pytest.raises(SpecError, match=start + ".*" + re.escape(message) + ".*; remove the setting"):
        replace_unused_fields(compose(**fields))


@pytest.mark.parametrize("source", ["--preset quality", "run 1234"])
def test_field_of_a_preset_or_an_earlier_run_gets_its_default_and_is_recorded(source):
    layers = [BASE, (source, PRESETS["quality"]), ("--set", {"method": {"name": "full"}})]
    spec, deviations = replace_unused_fields(compose_spec(layers))
    method = spec.spec.method
    assert (method.r, method.alpha, method.rslora, method.dropout) == (16, 32, False, 0.0)
    assert deviations["method.r"] == (
        f"method.r: 16 instead of 64 ({source}): only lora, qlora and vera use it, and method.name is 'full'"
    )
    assert deviations.keys() == {"method.r", "method.alpha", "method.rslora", "method.dropout"}
    assert spec.origins["method.r"] == "not used"


def test_fields_that_a_run_uses_stay():
    for fields in (
        {"method.objective": "orpo", "method.beta": 0.5, "evaluation.metrics": []},
        {"method.name": "qlora", "quantisation.type": "fp4", "method.r": 4, "method.dora": True},
        {"method.name": "prefix-tuning", "method.virtual_tokens": 4},
        {"data.evaluation_share": 0.3, "evaluation.every_steps": 5, "training.epochs": 3.0},
    ):
        spec = compose(**fields)
        assert replace_unused_fields(spec) == (spec, {})
        values = dict(iterate_leaves(spec.spec.model_dump()))
        assert all(values[name] in (value, tuple(value) if isinstance(value, list) else value)
                   for name, value in fields.items())  # fmt: skip
