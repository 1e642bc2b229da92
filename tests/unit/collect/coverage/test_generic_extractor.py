"""Precision and recall of the generic extractor, against manual lists from the documentation of libraries.

The first two lists were read on 2026-11-24 from names in the documentation, which the extractor does not
read: LLaMA-Factory's display names and its README at 2ebe7be6116e, ms-swift's
Supported-models-and-datasets.md at dfacde23ab78 (both of July 2026).
"""

from __future__ import annotations

from datetime import date

import pytest

from advisor.domain.files import data_folder
from advisor.facts import reading

COMMON = {
    "Llama 2", "Llama 3", "Llama 3.1", "Llama 3.2", "Llama 3.3", "Llama 4", "Gemma", "Gemma 2", "Gemma 3", "Gemma 3n",
    "Gemma 4", "Phi-3", "Phi-4", "Mistral 7B", "Mixtral", "Mistral Nemo", "Mistral Small", "Ministral 3", "Qwen2",
    "Qwen2.5", "Qwen3", "Qwen3-Next", "Qwen3.5", "DeepSeek LLM", "DeepSeek-V2", "DeepSeek-V3", "R1-Distill", "Yi",
    "Command R", "gpt-oss", "GLM-4", "GLM-4.5", "InternLM2", "InternLM2.5", "InternLM3", "DBRX", "Seed-OSS",
    "ERNIE 4.5", "MiniMax-M2", "Hunyuan A13B",
}  # fmt: skip
MANUAL_LISTS = {
    "hiyouga/LLaMA-Factory": COMMON
    | {"Granite 3", "Granite 4", "Falcon", "Falcon-H1", "OLMo", "SmolLM", "SmolLM2", "StarCoder 2", "Jamba"},
    "modelscope/ms-swift": COMMON | {"Phi-2", "Qwen", "Qwen1.5", "Kimi K2"},
}
# Two more lists, which were committed before the extractor ran on these libraries: a blind check, unlike the
# two above. xtuner at b934f462095c: the table of its README, "Model" of
# its documentation, the README before version 1 (990b4dbd7~1) and the names of the folders of
# xtuner/configs. LMFlow at f3597dba134e: the headings of docs/source/examples/supported_conversation_template.md
# and the models of its README.
BLIND_LISTS = {
    "InternLM/xtuner": {
        "Qwen", "Qwen1.5", "Qwen2", "Qwen3", "Qwen3.5", "gpt-oss", "DeepSeek-V2", "DeepSeek-V3", "Kimi K2",
        "InternLM2", "InternLM2.5", "InternLM3", "Llama 2", "Llama 3", "Phi-3", "Mistral 7B", "Mixtral", "Gemma",
        "Command R", "Yi",
    },
    "OptimalScale/LMFlow": {
        "DeepSeek-V2", "DeepSeek-V3", "R1-Distill", "Gemma", "InternLM2", "Llama 2", "Llama 3", "Mixtral", "Phi-3",
        "Qwen1.5", "Qwen2", "Qwen2.5", "Yi",
    },
}  # fmt: skip
# LLaMA-Factory lists only a preview of Granite 4, which is not the family.
RESULTS = {"hiyouga/LLaMA-Factory": (1.0, 48 / 49), "modelscope/ms-swift": (1.0, 1.0)}
# xtuner trains Kimi K2 as DeepSeek-V3, which has the same architecture. LMFlow accepts any model by its name on
# the command line, and its chat templates have names of makers; its code names Llama 3. What it shows has all 13.
BLIND_RESULTS = {"InternLM/xtuner": (1.0, 19 / 20), "OptimalScale/LMFlow": (1.0, 1 / 13)}

# Dates in LLaMA-Factory's own changelog.
CHANGELOG = {
    "Mixtral": date(2023, 12, 12), "Qwen1.5": date(2024, 2, 5), "Qwen2": date(2024, 6, 7), "GLM-4": date(2024, 6, 7),
    "Qwen2.5": date(2024, 9, 19), "Phi-4": date(2025, 1, 10), "InternLM3": date(2025, 1, 14),
    "R1-Distill": date(2025, 1, 31), "Gemma 3": date(2025, 3, 12), "Llama 4": date(2025, 4, 6),
    "Qwen3": date(2025, 4, 28), "gpt-oss": date(2025, 8, 6),
}  # fmt: skip


# Families that were added to model_families.toml after the lists were made.
LATER_FAMILIES = {
    "Llama 3.2 Vision", "Qwen2-VL", "Qwen2.5-VL", "Qwen3 MoE", "Qwen3-VL", "Qwen3.6", "DeepSeek-V3.1",
    "DeepSeek-V3.2", "DeepSeek-V4", "GLM-4.6", "GLM-4.7", "GLM-5", "MiniMax-M2.1", "MiniMax-M2.5", "Kimi Linear",
    "Kimi K2.5", "Devstral", "Devstral 2", "Magistral", "Mistral Small 4", "Mistral Medium 3.5", "Nemotron 3",
    "Trinity", "MiMo", "Hunyuan dense",
}  # fmt: skip


def read_support(repository, route="main"):
    store = reading.open_store(data_folder() / "snapshots" / "finetuning")
    rows = reading.read_rows(store, "model_support", repository)
    return {r["family"]: r for r in rows if r["route"] == route}


@pytest.mark.parametrize("repository", MANUAL_LISTS | BLIND_LISTS)
def test_precision_and_recall(repository):
    end = date(2026, 7, 24)
    families = {
        family for family, r in read_support(repository).items()
        if r["supported_on"] and r["supported_on"] <= end and not (r["removed_on"] and r["removed_on"] <= end)
    } - LATER_FAMILIES  # fmt: skip
    manual_list = (MANUAL_LISTS | BLIND_LISTS)[repository]
    matches = families & manual_list
    precision_and_recall = (len(matches) / len(families), len(matches) / len(manual_list))
    assert precision_and_recall == pytest.approx((RESULTS | BLIND_RESULTS)[repository]), (
        families ^ manual_list
    )


def test_pages_and_examples_show_what_the_code_does_not_name():
    shown = {
        family for family, r in read_support("OptimalScale/LMFlow", "shown").items() if r["supported_on"]
    }
    assert shown >= BLIND_LISTS["OptimalScale/LMFlow"] - {"Llama 3"}


def test_days_agree_with_the_librarys_own_changelog():
    support = read_support("hiyouga/LLaMA-Factory")
    differences = {
        family: abs((support[family]["supported_on"] - day).days) for family, day in CHANGELOG.items()
    }
    assert max(differences.values()) <= 2, differences
