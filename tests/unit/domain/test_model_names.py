"""The family that a user's name of a model means."""

from __future__ import annotations

import pytest

from advisor.domain.families import family_of, load_families
from advisor.domain.model_names import find_family, find_near_names
from advisor.errors import InputError

FAMILIES = load_families()


@pytest.mark.parametrize(("name", "family"), [
    ("Llama 3.1", "Llama 3.1"), ("llama3", "Llama 3"), ("qwen3", "Qwen3"), ("Qwen3 MoE", "Qwen3 MoE"),
    ("Qwen/Qwen3-30B-A3B", "Qwen3 MoE"), ("mixtral", "Mixtral"), ("Qwen/Qwen-7B", "Qwen"), ("DBRX", "DBRX"),
    ("meta-llama/Llama-3.2-11B-Vision", "Llama 3.2 Vision"), ("meta-llama/Llama-3.2-3B", "Llama 3.2"),
    ("mistral-nemo", "Mistral Nemo"), ("unsloth/gemma-2-9b-bnb-4bit", "Gemma 2"), ("Nemotron", "Nemotron 3"),
])  # fmt: skip
def test_a_clear_name(name, family):
    assert find_family(name, FAMILIES).name == family


@pytest.mark.parametrize(
    "name", ["qwen", "Llama", "gemma", "meta-llama/llama", "mistral", "glm", "kimi", "phi"]
)
def test_a_name_that_many_families_start_with(name):
    with pytest.raises(InputError, match="ambiguous model"):
        find_family(name, FAMILIES)


@pytest.mark.parametrize(
    "name", ["nobody/knows-7b", "", "/", "quen2.5", "bert-base", "microsoft/Phi-3.5-MoE-instruct"]
)
def test_a_name_of_no_tracked_family(name):
    assert find_family(name, FAMILIES) is None


def test_near_names():
    assert find_near_names("Quen2.5", FAMILIES)[0].startswith("Qwen2.5")
    assert find_near_names("gema-3", FAMILIES) == [
        "Gemma 3",
        "Gemma 3n",
        "Gemma",
    ] or "Gemma 3" in find_near_names("gema-3", FAMILIES)
    assert find_near_names("xyzzy", FAMILIES) == []


@pytest.mark.parametrize(("name", "family"), [
    ("google/gemma-3-4b-it", "Gemma 3"), ("meta-llama/Llama-4-Scout-17B-16E", "Llama 4"),
    ("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL"), ("microsoft/Phi-3-vision-128k-instruct", None),
    ("THUDM/glm-4v-9b", None), ("LiquidAI/LFM2-VL-1.6B", None), ("Qwen/Qwen3-Omni-30B-A3B-Instruct", None),
    ("ibm-granite/granite-3.0-1b-a400m-base", None), ("microsoft/phi-4-multimodal-instruct", None),
    ("mistralai/Mistral-7B-v0.1", "Mistral 7B"), ("deepseek-ai/DeepSeek-V3-0324", "DeepSeek-V3"),
])  # fmt: skip
def test_images_and_mixtures_are_told_from_their_namesakes(name, family):
    result = family_of(name, FAMILIES)
    assert (result and result.name) == family


@pytest.mark.parametrize(("name", "billions"), [
    ("mistralai/Mixtral-8x7B-v0.1", 46.7), ("Mixtral-8x22B", 141), ("meta-llama/Llama-4-Scout-17B-16E", 109),
    ("deepseek-ai/DeepSeek-Coder-V2-Lite-Base", 16), ("deepseek-ai/DeepSeek-V3", 671), ("google/gemma-2-9b", None),
])  # fmt: skip
def test_sizes_that_the_names_do_not_say(name, billions):
    assert family_of(name, FAMILIES).find_billions(name) == billions
