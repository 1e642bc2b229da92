"""The table of methods is checked against the libraries that it speaks of."""

from __future__ import annotations

import dataclasses
import re

import pytest

from advisor.cli.run_options import assignment
from finetune import spec
from finetune.methods import METHODS
from finetune.stacks import STACKS

NAMES = [m.name for m in METHODS]


def test_the_soup_that_the_issue_names_is_in_it():
    for name in ("LoRA", "QLoRA", "rsLoRA", "DoRA", "IA3", "VeRA", "prompt tuning", "RED", "ReFT", "full"):
        assert any(name in known for known in NAMES), name


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_what_it_says_of_trl_is_so(method):
    import peft
    from transformers.training_args import OptimizerNames
    from trl import ModelConfig, SFTConfig

    known = {f.name for kind in (ModelConfig, SFTConfig) for f in dataclasses.fields(kind)}
    told = method.evidence.get("trl", "")
    if told.startswith("peft:"):
        for name in re.findall(r"\w+Config", told):
            assert hasattr(peft, name), name
        if "init_lora_weights" in told:
            assert "init_lora_weights" in {f.name for f in dataclasses.fields(peft.LoraConfig)}
    elif told:
        option, _, value = told.partition(": ")
        assert option in known
        if option == "optim":
            assert value in {o.value for o in OptimizerNames}


@pytest.mark.parametrize("method", [m for m in METHODS if m.runs], ids=[m.name for m in METHODS if m.runs])
def test_what_runs_it_is_a_spec(method):
    name, value = assignment(method.runs)
    base = {"model": {"base": "m"}, "data": {"train": "d"}}
    made = spec.resolve(spec.compose([("f", base), ("s", spec.nest({name: value}))]), gpus=0).spec
    assert dict(spec.leaves(made.model_dump()))[name] == value
    assert "trl" in STACKS


def test_every_method_of_the_spec_is_explained():
    told = {m.runs.partition("=")[2] for m in METHODS}
    assert set(spec.Method.model_fields["name"].annotation.__args__[0].__args__) <= told
