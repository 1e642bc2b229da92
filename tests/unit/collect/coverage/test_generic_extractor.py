"""How well the generic extractor works: against lists made by hand from what libraries say of themselves.

The first two lists were read on 2026-11-24 from the names that the libraries show people, which the extractor
does not read: LLaMA-Factory's display names and its README at 2ebe7be6116e, ms-swift's
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
BY_HAND = {
    "hiyouga/LLaMA-Factory": COMMON
    | {"Granite 3", "Granite 4", "Falcon", "Falcon-H1", "OLMo", "SmolLM", "SmolLM2", "StarCoder 2", "Jamba"},
    "modelscope/ms-swift": COMMON | {"Phi-2", "Qwen", "Qwen1.5", "Kimi K2"},
}
# Two more, written before the extractor's output for them was looked at, and committed before it was measured:
# they are the blind check, the two above are not. xtuner at b934f462095c: the table of its README, "Model" of
# its documentation, the README before version 1 (990b4dbd7~1) and the names of the folders of
# xtuner/configs. LMFlow at f3597dba134e: the headings of docs/source/examples/supported_conversation_template.md
# and the models of its README.
BLIND = {
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
# LLaMA-Factory shows a preview of Granite 4 alone, which is not the family.
STATED = {"hiyouga/LLaMA-Factory": (1.0, 48 / 49), "modelscope/ms-swift": (1.0, 1.0)}
# xtuner trains Kimi K2 as the DeepSeek-V3 whose architecture it has. LMFlow has chat templates named after
# makers and takes any model by its name on the command line: its code names Llama 3 and, in an example, Code Llama.
STATED_BLIND = {"InternLM/xtuner": (1.0, 19 / 20), "OptimalScale/LMFlow": (1 / 2, 1 / 13)}

# Dated lines of LLaMA-Factory's own changelog.
CHANGELOG = {
    "Mixtral": date(2023, 12, 12), "Qwen1.5": date(2024, 2, 5), "Qwen2": date(2024, 6, 7), "GLM-4": date(2024, 6, 7),
    "Qwen2.5": date(2024, 9, 19), "Phi-4": date(2025, 1, 10), "InternLM3": date(2025, 1, 14),
    "R1-Distill": date(2025, 1, 31), "Gemma 3": date(2025, 3, 12), "Llama 4": date(2025, 4, 6),
    "Qwen3": date(2025, 4, 28), "gpt-oss": date(2025, 8, 6),
}  # fmt: skip


def rows(repository):
    store = reading.open_store(data_folder() / "snapshots" / "finetuning")
    found = reading.read(store, "model_support", repository)
    return {r["family"]: r for r in found if r["route"] == "main"}


@pytest.mark.parametrize("repository", BY_HAND | BLIND)
def test_precision_and_recall(repository):
    end = date(2026, 7, 24)
    found = {
        family for family, r in rows(repository).items()
        if r["supported_on"] and r["supported_on"] <= end and not (r["removed_on"] and r["removed_on"] <= end)
    }  # fmt: skip
    by_hand = (BY_HAND | BLIND)[repository]
    right = found & by_hand
    measured = (len(right) / len(found), len(right) / len(by_hand))
    assert measured == pytest.approx((STATED | STATED_BLIND)[repository]), found ^ by_hand


def test_days_agree_with_the_librarys_own_changelog():
    found = rows("hiyouga/LLaMA-Factory")
    apart = {family: abs((found[family]["supported_on"] - day).days) for family, day in CHANGELOG.items()}
    assert max(apart.values()) <= 2, apart
