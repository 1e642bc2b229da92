"""A converted adapter of torchtune or litgpt gives the logits of the stack's own model."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file
from stack_cases import CASES, EXPORT_CASES, QLORA_CASES, READ_PAIRS

from finetune.errors import TrainingError
from finetune.stacks.shared import equivalence
from finetune.weights import family


def read_result(run):
    return json.loads((run / "gate.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_stack(probes, case):
    _, runs = probes
    result = read_result(runs[case][1])
    assert result["error"] <= 1e-5, result
    assert result["effect"] >= 1e-2, "the adapter must change the logits, or the test proves nothing"


@pytest.mark.parametrize("case", QLORA_CASES)
def test_logits_on_the_four_bit_base_are_those_of_peft(probes, case):
    """The stack's own 4-bit layers, and bitsandbytes' in transformers."""
    _, runs = probes
    result = read_result(runs[f"{case}-qlora"][1])
    assert result["passed"]
    assert result["error"] <= 0.03 * result["scale"], result
    assert result["effect"] >= 10 * result["error"], "the adapter must matter more than the rounding"


def test_logits_differ_from_those_on_the_base_before_its_quantisation(probes):
    _, runs = probes
    result = read_result(runs[f"{QLORA_CASES[0]}-qlora"][1].with_name(f"{QLORA_CASES[0]}-qlora-sixteen-bits"))
    assert result["error"] > equivalence.QUANTISED_TOLERANCE * result["scale"]


def test_torchtunes_own_export_is_wrong_for_qwen_and_right_for_llama(probes):
    name, runs = probes
    if name == "litgpt":
        assert not any(
            (run / "official.safetensors").exists() for _, run in runs.values()
        )  # it has no export
        return
    results = {case: read_result(runs[case][1].with_name(f"{case}-official")) for case in EXPORT_CASES}
    assert results["llama-untied"]["passed"]
    assert not results["qwen2-untied"]["passed"]
    assert results["qwen2-untied"]["error"] > 1e-3


def test_wrong_adapter_is_a_clear_error(probes):
    name, runs = probes
    if name == "torchtune":
        with pytest.raises(TrainingError, match="is wrong: its logits differ"):
            equivalence.check_logits(runs["qwen2-untied"][1].with_name("qwen2-untied-official"))
    else:
        assert equivalence.check_logits(runs["qwen2-untied"][1])["passed"]


def test_adapter_without_a_layer_is_an_error(probes):
    name, runs = probes
    spec, run = runs["llama-untied"]
    state = load_file(run / "work" / "native.safetensors")
    fewer = {key: value for key, value in state.items() if ".1." not in key}
    with pytest.raises(TrainingError, match="layer 1"):
        READ_PAIRS[name](fewer, family.read_family(name, spec), family.resolve_targets(name, spec))


def test_phi_has_one_adapter_with_the_sum_of_the_ranks(probes):
    _, runs = probes
    config = json.loads((runs["phi3-grouped"][1] / "adapter" / "adapter_config.json").read_text())
    assert config["rank_pattern"] == {"qkv_proj": 12, "gate_up_proj": 8}
    assert set(config["target_modules"]) == {"qkv_proj", "gate_up_proj", "o_proj", "down_proj"}
