"""Compare the table of methods with the libraries that it describes."""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import get_args

import pytest

from advisor.cli.run_options import parse_field
from finetune import spec
from finetune.methods import METHODS
from finetune.stacks import STACKS

NAMES = [m.name for m in METHODS]


def test_table_contains_the_methods_of_the_issue():
    for name in ("LoRA", "QLoRA", "rsLoRA", "DoRA", "IA3", "VeRA", "prompt tuning", "RED", "ReFT", "full"):
        assert any(name in other for other in NAMES), name


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_trl_evidence_exists_in_trl_and_peft(method, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    import peft
    from transformers.training_args import OptimizerNames
    from trl import ModelConfig, SFTConfig

    options = {f.name for kind in (ModelConfig, SFTConfig) for f in dataclasses.fields(kind)}
    evidence = method.evidence.get("trl", "")
    if evidence.startswith("peft:"):
        for name in re.findall(r"\w+Config", evidence):
            assert hasattr(peft, name), name
        if "init_lora_weights" in evidence:
            assert "init_lora_weights" in {f.name for f in dataclasses.fields(peft.LoraConfig)}
    elif evidence.endswith("Config"):
        module, _, name = evidence.rpartition(".")
        assert hasattr(importlib.import_module(f"trl.{module}".rstrip(".")), name)
    elif evidence:
        option, _, value = evidence.partition(": ")
        assert option in options
        if option == "optim":
            assert value in {o.value for o in OptimizerNames}


@pytest.mark.parametrize("method", [m for m in METHODS if m.runs], ids=[m.name for m in METHODS if m.runs])
def test_setting_of_a_method_is_a_spec(method):
    name, value = parse_field(method.runs)
    base = {"model": {"base": "m"}, "data": {"train": "d"}}
    run_spec = spec.resolve_spec(
        spec.compose_spec([("f", base), ("s", spec.nest_leaves({name: value}))]), gpus=0
    ).spec
    assert dict(spec.iterate_leaves(run_spec.model_dump()))[name] == value
    assert "trl" in STACKS


def test_table_contains_every_method_of_the_spec():
    names = {m.runs.partition("=")[2] for m in METHODS}
    assert set(spec.Method.model_fields["name"].annotation.__args__[0].__args__) <= names
    assert set(get_args(spec.Method.model_fields["objective"].annotation)) - {"sft"} <= names
