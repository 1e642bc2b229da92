"""A stack refuses only what a person set; it gets something else for a default that it does not support."""

from __future__ import annotations

import pytest
import tiny_model

from finetune import run, spec
from finetune.errors import UnsupportedField
from finetune.plan.all_stacks import render_for_stacks

CARDS = {
    "T4": "Tesla T4, 15, 7.5",
    "4060": "NVIDIA GeForce RTX 4060, 8, 8.9",
    "H100": "8 x NVIDIA H100 80GB HBM3, 80, 9.0",
    "GB10": "NVIDIA GB10, 119.7, 12.1",
}


@pytest.fixture
def compose(make_spec, monkeypatch):
    """Return a function that composes a spec for a card from a preset and fields that a person sets."""

    def build(card, preset=None, **fields):
        monkeypatch.setenv("ADVISOR_GPUS", CARDS[card])
        base = make_spec(tiny_model.sums(30)).spec
        layers = [("--model", {"model": {"base": base.model.base}, "data": {"train": base.data.train}})]
        if preset:
            layers.append((f"--preset {preset}", spec.PRESETS[preset]))
        return spec.compose_spec([*layers, ("--set", spec.nest_leaves(fields))])

    return build


@pytest.mark.parametrize("preset", [None, *spec.PRESETS])
@pytest.mark.parametrize("card", CARDS)
def test_no_stack_is_refused_for_what_advisor_proposes(compose, card, preset):
    tasks = render_for_stacks(run.plan_run(compose(card, preset)))
    assert {task.stack: task.refusal for task in tasks} == dict.fromkeys(
        ("axolotl", "litgpt", "torchtune", "trl", "unsloth"), ""
    )


def test_replaced_proposal_is_a_deviation_with_its_origin(compose):
    plan = run.plan_run(compose("4060", stack="litgpt"))
    assert plan.spec.training.gradient_checkpointing is False
    assert plan.composed_spec.origins["training.gradient_checkpointing"] == (
        "litgpt, instead of True (machine: 1 GPU)"
    )
    why = "training.gradient_checkpointing: False instead of True (machine: 1 GPU): it has none for a single"
    assert any(deviation.startswith(why) for deviation in plan.native_config.deviations)
    litgpt, trl = (run.plan_run(compose("4060", stack=name)).prediction for name in ("litgpt", "trl"))
    assert litgpt.activations > trl.activations, "the prediction is for the values that will be used"
    others = {task.stack: task.config.files for task in render_for_stacks(plan)}
    assert "gradient_checkpointing: true" in others["trl"]["sft.yaml"], "other stacks keep the proposal"


def test_card_without_bfloat16_gets_what_each_stack_really_computes(compose):
    dtypes = {
        name: run.plan_run(compose("T4", stack=name)).spec.training.dtype
        for name in ("trl", "axolotl", "unsloth", "torchtune", "litgpt")
    }
    assert dtypes == {"trl": "float16", "axolotl": "float16", "unsloth": "float16",
                      "torchtune": "float32", "litgpt": "float32"}  # fmt: skip


@pytest.mark.parametrize(("field", "value", "why"), [
    ("training.gradient_checkpointing", True, "it has none for a single process"),
    ("training.dtype", "float16", r"use bfloat16, or float32 on a GPU that only emulates bfloat16"),
    ("method.rslora", True, "scales by alpha / r"),
])  # fmt: skip
def test_value_that_a_person_set_is_refused(compose, field, value, why):
    with pytest.raises(UnsupportedField, match=rf"litgpt does not support {field} = .*{why}"):
        run.plan_run(compose("4060", stack="litgpt", **{field: value}))
