"""The extractors find model families in small source trees."""

from __future__ import annotations

import pytest

from advisor.collect.coverage import EXTRACTORS, find_extractor, generic
from advisor.collect.coverage.history import find_families
from advisor.collect.coverage.transformers import load_architectures, read_causal_models
from advisor.collect.coverage.tree import ANYTHING
from advisor.domain.families import load_families
from advisor.domain.files import data_folder
from advisor.errors import ConfigError

FAMILIES = load_families()


def list_families(repository, files):
    return set(find_families(files, find_extractor(repository), FAMILIES)) - {ANYTHING}


def test_a_library_without_an_extractor_gets_the_generic_one():
    assert len(EXTRACTORS) == 5
    assert find_extractor("nobody/knows") is generic.EXTRACTOR


def test_torchtune_counts_folders_except_encoders():
    files = {f"torchtune/models/{name}/__init__.py": "" for name in
             ("gemma", "gemma2", "code_llama2", "llama3", "llama3_1", "llama3_2_vision", "clip", "t5", "flux")}  # fmt: skip
    files |= {
        "torchtune/models/__init__.py": "",
        "torchtune/models/phi3/readme.md": "",
        "tests/qwen2/x/y.py": "",
    }
    assert list_families("pytorch/torchtune", files) == {
        "Gemma", "Gemma 2", "Code Llama", "Llama 3", "Llama 3.1", "Llama 3.2"}  # fmt: skip


LITGPT = """
configs = [
    dict(name="Llama-2-7b{}-hf", hf_config=dict(org="meta-llama", name="Llama-2-7b{}-hf")),
    dict(name="R1-Distill-Llama-8B", hf_config=dict(org="deepseek-ai", name="DeepSeek-R1-Distill-Llama-8B")),
    dict(name="Mathstral", hf_config=dict(org="mistralai", name="mathstral-7B-v0.1")),
    dict(name="Gemma-2b", hf_config=dict(org="google", name="gemma-2b")),
]
for kind in ("", "-it"):
    configs.append(dict(hf_config=dict(org="tiiuae", name=f"Falcon3-7B{kind}")))
comment = "Qwen/Qwen3-8B is not a model of this file"
"""


@pytest.mark.parametrize("path", ["litgpt/config.py", "lit_gpt/config.py", "lit_parrot/config.py"])
def test_litgpt_reads_config_at_its_present_and_former_paths(path):
    assert list_families("Lightning-AI/litgpt", {path: LITGPT}) == {
        "Llama 2",
        "R1-Distill",
        "Gemma",
        "Falcon 3",
    }
    assert list_families("Lightning-AI/litgpt", {"tests/config.py": LITGPT}) == set()


def test_litgpt_ignores_a_file_that_does_not_parse():
    assert list_families("Lightning-AI/litgpt", {"litgpt/config.py": "print 'old python'"}) == set()


MULTIPACK = 'SUPPORTED_MULTIPACK_MODEL_TYPES = ["qwen2", "gemma2", "falcon_h1"]\nOTHER = ["phi3"]\n'


def test_axolotl_reads_examples_and_model_types():
    files = {
        "examples/gemma/qlora.yml": "base_model: google/gemma-2b\nother: google/gemma-2-9b\n",
        "examples/slurm/x.yml": 'base_model: "NousResearch/Meta-Llama-3-8B"\n',
        "examples/streaming/readme.md": "base_model: Qwen/Qwen3-8B",
        "src/axolotl/monkeypatch/multipack.py": MULTIPACK,
        "src/axolotl/loaders/model.py": "from transformers import AutoModelForCausalLM",
    }
    # qwen2 is the class of Qwen1.5, Qwen2, Qwen2.5 and the distilled R1: packing works for all of them
    assert list_families("axolotl-ai-cloud/axolotl", files) == {
        "Gemma", "Gemma 2", "Llama 3", "Qwen1.5", "Qwen2", "Qwen2.5", "R1-Distill", "Falcon-H1"}  # fmt: skip
    assert ANYTHING in find_families(files, find_extractor("axolotl-ai-cloud/axolotl"), FAMILIES)


UNSLOTH = """
MAPPER = {
    "unsloth/gemma-3-4b-it-bnb-4bit": ("unsloth/gemma-3-4b-it", "google/gemma-2-9b"),
    "unsloth/phi-4": "microsoft/phi-4",
}
"""
REGISTRY = 'X = ModelMeta(org="deepseek-ai", base_name="DeepSeek", model_version="V3", sizes=["1"])\n'


def test_unsloth_counts_originals_and_no_copies():
    files = {"unsloth/models/mapper.py": UNSLOTH, "unsloth/registry/_deepseek.py": REGISTRY,
             "unsloth/registry/registry.py": UNSLOTH.replace("google/gemma-2-9b", "Qwen/Qwen3-8B")}  # fmt: skip
    assert list_families("unslothai/unsloth", files) == {"Gemma 2", "Phi-4", "DeepSeek-V3"}


def test_files_without_models_yield_no_family():
    assert not list_families(
        "axolotl-ai-cloud/axolotl", {"src/axolotl/monkeypatch/multipack.py": "OTHER = []"}
    )
    assert list_families(
        "axolotl-ai-cloud/axolotl", {"examples/gemma.yml": "base_model: google/gemma-7b"}
    ) == {"Gemma"}
    assert not list_families(
        "unslothai/unsloth", {"unsloth/registry/_x.py": 'ModelMeta(org="Qwen", sizes=["1"])'}
    )
    data = {"src/pkg/vocabulary.py": f'"google/gemma-2-9b"\n#{" " * 1_500_000}'}
    assert not list_families("nobody/knows", data), "a file of this length is data"


def test_unsloth_supports_anything_since_fastmodel():
    for text, anything in (("class FastLanguageModel: pass", False), ("class FastModel: pass", True)):
        families = find_families(
            {"unsloth/models/loader.py": text}, find_extractor("unslothai/unsloth"), FAMILIES
        )
        assert (ANYTHING in families) is anything


def test_trl_supports_what_transformers_loads():
    files = {"trl/trainer/sft_trainer.py": "model = AutoModelForCausalLM.from_pretrained(x)",
             "trl/chat_templates/glm4moe_training.jinja": ""}  # fmt: skip
    families = find_families(files, find_extractor("huggingface/trl"), FAMILIES)
    assert set(families) == {ANYTHING, "GLM-4.5"}


def test_the_generic_extractor_leaves_out_tests_and_documents():
    code = 'MODELS = {"a": "google/gemma-2-9b", "b": "application/json"}\n'
    files = {"src/pkg/models.py": code, "tests/test_x.py": code.replace("gemma-2-9b", "gemma-7b"),
             "docs/x.py": code.replace("gemma-2-9b", "gemma-3-4b-it"),
             "examples/x.yaml": "model: Qwen/Qwen3-8B\n", "src/pkg/old.py": "print 'x'"}  # fmt: skip
    assert list_families("nobody/knows", files) == {"Gemma 2", "Qwen3"}


def test_the_generic_extractor_reads_modules_of_a_model_folder():
    files = dict.fromkeys(("pkg/models/gemma2.py", "pkg/v1/model/moe/gpt_oss.py", "pkg/model/llama3/__init__.py", "pkg/model/utils.py", "pkg/data/qwen3.py", "examples/models/phi4.py"), "")  # fmt: skip
    assert list_families("nobody/knows", files) == {"Gemma 2", "gpt-oss", "Llama 3"}


def test_an_example_that_loads_anything_does_not_count():
    loads = "from transformers import AutoModelForCausalLM"
    assert ANYTHING not in find_families({"examples/x.py": loads}, generic.EXTRACTOR, FAMILIES)
    assert ANYTHING in find_families({"src/x.py": loads}, generic.EXTRACTOR, FAMILIES)


@pytest.mark.parametrize("text", [
    'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict([("gemma2", "Gemma2ForCausalLM"), ("xglm", "X")])',
    'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES: dict = {"gemma2": "Gemma2ForCausalLM", "xglm": "X"}',
])  # fmt: skip
def test_both_forms_of_the_mapping_of_transformers(text):
    assert read_causal_models(text) == ["gemma2", "xglm"]
    assert read_causal_models("OTHER = {}\nfor x in y: pass\nMODEL_FOR_CAUSAL_LM_MAPPING_NAMES: dict") == []


def test_the_bundled_architectures():
    architectures = load_architectures(data_folder() / "architectures.csv")
    assert (architectures["gemma2"].release, str(architectures["gemma2"].released_on)) == (
        "4.42.0",
        "2024-06-27",
    )
    missing = {f.architecture for f in FAMILIES if f.architecture} - set(architectures)
    assert not missing


def test_an_invalid_architecture_file(tmp_path):
    (tmp_path / "a.csv").write_text("architecture,release,released_on\nx,1,yesterday\n")
    with pytest.raises(ConfigError, match="yesterday"):
        load_architectures(tmp_path / "a.csv")
