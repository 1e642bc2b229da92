"""Names of models and their families, with names that are easy to confuse."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.domain.families import family_of, load_families
from advisor.errors import ConfigError

FAMILIES = load_families()


@pytest.mark.parametrize(("name", "family"), [
    ("google/gemma-2b", "Gemma"), ("google/gemma-2-2b", "Gemma 2"), ("gemma2", "Gemma 2"),
    ("facebook/xglm-564M", None), ("THUDM/glm-4-9b", "GLM-4"), ("glm4_moe", "GLM-4.5"), ("glm-4v-9b", None),
    ("Qwen/Qwen1.5-7B", "Qwen1.5"), ("qwen/Qwen2-beta-7B", None), ("Qwen/Qwen2-7B", "Qwen2"),
    ("Qwen/Qwen2.5-7B", "Qwen2.5"), ("qwen2_5", "Qwen2.5"), ("Qwen/Qwen2-57B-A14B", None),
    ("Qwen/Qwen3-8B", "Qwen3"), ("Qwen/Qwen3.5-9B", "Qwen3.5"), ("qwen3_5", "Qwen3.5"), ("qwen3_5_moe", "Qwen3.5"),
    ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "R1-Distill"), ("R1-Distill-Llama-70B", "R1-Distill"),
    ("deepseek-ai/DeepSeek-R1", "DeepSeek-V3"),
    ("mistralai/Mathstral-7B-v0.1", None), ("mistralai/Mistral-Nemo-Base-2407", "Mistral Nemo"),
    ("tiiuae/Falcon-H1-1.5B-Base", "Falcon-H1"), ("tiiuae/Falcon3-7B-Base", "Falcon 3"), ("falcon_h1", "Falcon-H1"),
    ("code_llama2", "Code Llama"), ("llama2", "Llama 2"), ("openlm-research/open_llama_3b", None),
    ("TinyLlama/TinyLlama-1.1B", None), ("NousResearch/Hermes-2-Pro-Llama-3-8B", None),
    ("llama3_1", "Llama 3.1"), ("meta-llama/Llama-3.2-1B", "Llama 3.2"), ("llama-3-vision", "Llama 3.2 Vision"),
    ("meta-llama/Meta-Llama-3-70B", "Llama 3"), ("smol", "SmolLM2"), ("SmolVLM-Instruct", None),
    ("slurm", None), ("streaming", None), ("cloud", None),
])  # fmt: skip
def test_family_of_a_name(name, family):
    match = family_of(name, FAMILIES)
    assert (match and match.name) == family


def test_no_name_means_two_families():
    for family in FAMILIES:
        for name in family.yes:
            assert [f.name for f in FAMILIES if f.has(name)] == [family.name]


def test_every_family_has_a_source_for_its_date():
    assert len(FAMILIES) > 40
    assert len({f.vendor for f in FAMILIES}) > 15
    for family in FAMILIES:
        assert family.source.startswith("https://")
        assert date(2023, 1, 1) < family.released < date(2026, 11, 24)


ENTRY = """
[[family]]
name = "{name}"
vendor = "V"
released = 2024-01-01
source = "https://example.org"
read = "page"
names = '{names}'
yes = ["thing-1b"]
no = ["other"]
"""


@pytest.mark.parametrize(("text", "message"), [
    (ENTRY.format(name="A", names="other"), "must match only A"),
    (ENTRY.format(name="A", names="thing") * 2, "two families have the name"),
    (ENTRY.format(name="A", names="thing") + ENTRY.format(name="B", names="th"), "must match only A"),
    (ENTRY.format(name="A", names="(thing"), "invalid regular expression"),
    (ENTRY.format(name="A", names="thing|other"), "'other' must not match A"),
    ("[[family]]\nname = 'A'", "vendor"),
])  # fmt: skip
def test_an_invalid_file_is_an_error(text, message, tmp_path):
    (tmp_path / "model_families.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_families(tmp_path)
