"""The GPU memory and the model that a requirement names, against published recipes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.decide.requirements import (
    Requirements,
    fit_memory,
    parse_memory,
)
from advisor.decide.training_memory import compute_memory, parse_parameters


@pytest.mark.parametrize(("name", "billions"), [
    ("google/gemma-2-9b", 9), ("Qwen/Qwen2.5-0.5B-Instruct", 0.5), ("mistralai/Mixtral-8x7B-v0.1", 7),
    ("HuggingFaceTB/SmolLM2-135M", 0.135), ("microsoft/phi-4", None), ("Qwen3-30B-A3B", 30), ("x/y-4bit", None),
    ("7b/none", None), ("a/x-1.5b-7b", 7), ("a/m-8x1.5b", 1.5), ("a/m-8x22bit", None), ("y3b", None), ("a/b/y-2b", 2),
])  # fmt: skip
def test_parse_parameters(name, billions):
    assert parse_parameters(name) == (pytest.approx(billions) if billions else None)


def test_memory_by_hand():
    # 16, 2 and 4.127/8 bytes for each parameter; a model that fits to the last byte fits
    for method, size in (("full", 16), ("lora", 2), ("qlora", 4.126953125 / 8)):
        exact = 1e9 * size / 2**30
        assert compute_memory(1, method, exact)["fits"] == "yes"
        assert compute_memory(1, method, exact * 0.999)["fits"] == "tight"
    # 65 billion at 4.127 bits are 31.2 GiB, the figure of the QLoRA paper's arithmetic
    values = compute_memory(65, "qlora", 48)
    assert values["memory_needed_gib"] == pytest.approx(65e9 * 4.126953125 / 8 / 2**30, abs=0.05)
    assert values["fits"] == "yes"
    lora = Requirements(model="x/llama-65b", method="lora", gpu_memory_gib=48)
    assert fit_memory(lora, 65)["fits"] == "tight"
    assert fit_memory(replace(lora, gpus=4), 65)["fits"] == "yes"
    assert fit_memory(lora, None) == {}
    assert fit_memory(replace(lora, method="dpo"), 65) == {}


@pytest.mark.parametrize(("billions", "method", "gib", "recipe"), [
    (8, "full", 18.9, "torchtune: Llama 3.1 8B on a 4090, README.md at bd2a0fc7c"),
    (70, "qlora", 48, "FSDP and QLoRA: 70B on two GPUs of 24 GB, README of AnswerDotAI/fsdp_qlora"),
    (70, "qlora", 24, "2-bit QLoRA: 70B, README of LLaMA-Factory"),
    (13, "full", 32, "ZeRO-Offload: 13B on one V100 (Ren et al. 2021)"),
    (1000, "full", 512, "ZeRO-Infinity: 1T on one DGX-2 (Rajbhandari et al. 2021)"),
])  # fmt: skip
def test_no_published_recipe_is_below_the_bound(billions, method, gib, recipe):
    assert compute_memory(billions, method, gib)["fits"] != "no", recipe


def test_a_model_below_the_bound_is_too_big():
    values = compute_memory(405, "full", 2)
    assert (values["fits"], values["memory_needed_gib"]) == ("no", 2.95)  # 405e9 * 2 bytes / 256 / 2**30
    # a library that keeps the weights on the GPU needs all of them there
    assert compute_memory(8, "full", 12, can_offload=False)["fits"] == "no"
    assert compute_memory(8, "full", 12)["fits"] == "tight"


@pytest.mark.parametrize(("text", "gib"), [("24GB", 24), ("24 GiB", 24), ("80", 80), (" 11.5g ", 11.5)])
def test_memory_as_people_write_it(text, gib):
    assert parse_memory(text) == gib
