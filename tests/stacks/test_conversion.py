"""An adapter of torchtune or litgpt in PEFT's form gives the logits that the stack's own model gave."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file
from stack_cases import CASES, EXPORTED, TAKE_APART

from finetune.errors import TrainingFailed
from finetune.stacks.shared import gate
from finetune.weights import family

pytestmark = pytest.mark.xdist_group("stacks")


def told(run):
    return json.loads((run / "gate.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_logits_are_the_stacks_own(answered, case):
    _, runs = answered
    answer = told(runs[case][1])
    assert answer["error"] <= 1e-5, answer
    assert answer["effect"] >= 1e-2, "the adapter must matter, or nothing was compared"


def test_torchtunes_own_export_of_qwen_is_caught_and_that_of_llama_passes(answered):
    name, runs = answered
    if name == "litgpt":
        assert not any(
            (run / "official.safetensors").exists() for _, run in runs.values()
        )  # it has no export
        return
    verdicts = {case: told(runs[case][1].with_name(f"{case}-official")) for case in EXPORTED}
    assert verdicts["llama-untied"]["passed"]
    assert not verdicts["qwen2-untied"]["passed"]
    assert verdicts["qwen2-untied"]["error"] > 1e-3


def test_a_wrong_adapter_ends_the_run_with_a_clear_word(answered):
    name, runs = answered
    if name == "torchtune":
        with pytest.raises(TrainingFailed, match="is wrong: its logits differ"):
            gate.check(runs["qwen2-untied"][1].with_name("qwen2-untied-official"))
    else:
        assert gate.check(runs["qwen2-untied"][1])["passed"]


def test_an_adapter_of_other_layers_is_refused(answered):
    name, runs = answered
    spec, run = runs["llama-untied"]
    state = load_file(run / "work" / "native.safetensors")
    fewer = {key: value for key, value in state.items() if ".1." not in key}
    with pytest.raises(TrainingFailed, match="layer 1"):
        TAKE_APART[name](fewer, family.of(name, spec), family.targets(name, spec))


def test_phi_is_fused_to_one_adapter_of_the_summed_rank(answered):
    _, runs = answered
    config = json.loads((runs["phi3-grouped"][1] / "adapter" / "adapter_config.json").read_text())
    assert config["rank_pattern"] == {"qkv_proj": 12, "gate_up_proj": 8}
    assert set(config["target_modules"]) == {"qkv_proj", "gate_up_proj", "o_proj", "down_proj"}
