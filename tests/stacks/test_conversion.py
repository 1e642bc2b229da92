"""An adapter of torchtune or litgpt in PEFT's form gives the logits that the stack's own model gave."""

from __future__ import annotations

import json
import shutil

import pytest
from conftest import CASES, EXPORTED
from safetensors.torch import load_file

from finetune import convert, family, gate
from finetune.errors import TrainingFailed

TAKE_APART = {"torchtune": convert.from_torchtune, "litgpt": convert.from_litgpt}


def converted(name, spec, run):
    convert.write(run, spec, family.of(name, spec), family.targets(name, spec), TAKE_APART[name])
    return gate.compare(run, spec)


@pytest.mark.parametrize("case", CASES)
def test_logits_are_the_stacks_own(answered, case):
    name, runs = answered
    told = converted(name, *runs[case])
    assert told["error"] <= 1e-5, told
    assert told["effect"] >= 1e-2, "the adapter must matter, or nothing was compared"


@pytest.mark.parametrize("case", EXPORTED)
def test_torchtunes_own_export_of_qwen_is_caught_and_that_of_llama_passes(answered, case, tmp_path):
    name, runs = answered
    if name != "torchtune":
        return
    spec, run = runs[case]
    converted(name, spec, run)
    copy = tmp_path / case
    shutil.copytree(run, copy)
    shutil.copy2(copy / "official.safetensors", copy / "adapter" / "adapter_model.safetensors")
    if case.startswith("qwen"):
        with pytest.raises(TrainingFailed, match="wrong"):
            gate.check(copy)
    else:
        assert gate.check(copy)["error"] <= 1e-5


def test_an_adapter_of_other_layers_is_refused(answered):
    name, runs = answered
    spec, run = runs["llama-untied"]
    known = family.of(name, spec)
    state = load_file(run / "work" / "native.safetensors")
    fewer = {key: value for key, value in state.items() if ".1." not in key}
    with pytest.raises(TrainingFailed, match="layer 1"):
        TAKE_APART[name](fewer, known, family.targets(name, spec))


def test_phi_is_fused_to_one_adapter_of_the_summed_rank(answered):
    name, runs = answered
    spec, run = runs["phi3-grouped"]
    converted(name, spec, run)
    told = json.loads((run / "adapter" / "adapter_config.json").read_text())
    assert told["rank_pattern"] == {"qkv_proj": 12, "gate_up_proj": 8}
    assert set(told["target_modules"]) == {"qkv_proj", "gate_up_proj", "o_proj", "down_proj"}
