"""The extractors find model families in small source trees."""

from __future__ import annotations

import pytest

from advisor.collect.coverage import EXTRACTORS, find_extractor, generic
from advisor.collect.coverage.history import find_families
from advisor.collect.coverage.transformers import load_architectures, read_models
from advisor.collect.coverage.tree import ANYTHING, ANYTHING_WITH_IMAGES, Key
from advisor.domain.families import load_families
from advisor.domain.files import data_folder
from advisor.errors import ConfigError

FAMILIES = load_families()


def find_keys(repository, files):
    return set(find_families(files, find_extractor(repository), FAMILIES))


def list_families(repository, files, level="named"):
    return {key.name for key in find_keys(repository, files) if key.level == level}


def test_a_library_without_an_extractor_gets_the_generic_one():
    assert len(EXTRACTORS) == 5
    assert generic.EXTRACTOR.name in find_extractor("nobody/knows").name


def test_torchtune_counts_folders_except_encoders():
    files = {f"torchtune/models/{name}/__init__.py": "" for name in
             ("gemma", "gemma2", "code_llama2", "llama3", "llama3_1", "llama3_2_vision", "clip", "t5", "flux")}  # fmt: skip
    files |= {
        "torchtune/models/__init__.py": "",
        "torchtune/models/phi3/readme.md": "",
        "tests/qwen2/x/y.py": "",
    }
    assert list_families("pytorch/torchtune", files) == {
        "Gemma", "Gemma 2", "Code Llama", "Llama 3", "Llama 3.1", "Llama 3.2 Vision"}  # fmt: skip


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
    name = "axolotl-ai-cloud/axolotl"
    assert list_families(name, files) == set()
    assert list_families(name, files, "shown") == {"Gemma", "Gemma 2", "Llama 3", "Qwen3"}
    assert list_families(name, files, "architecture") == {"qwen2", "gemma2", "falcon_h1"}
    assert ANYTHING in find_keys(name, files)
    assert ANYTHING_WITH_IMAGES not in find_keys(name, files)


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
        "axolotl-ai-cloud/axolotl", {"examples/gemma.yml": "base_model: google/gemma-7b"}, "shown"
    ) == {"Gemma"}
    assert not list_families(
        "unslothai/unsloth", {"unsloth/registry/_x.py": 'ModelMeta(org="Qwen", sizes=["1"])'}
    )
    data = {"src/pkg/vocabulary.py": f'"google/gemma-2-9b"\n#{" " * 1_500_000}'}
    assert not list_families("nobody/knows", data), "a file of this length is data"


def test_unsloth_supports_anything_since_fastmodel():
    for text, anything in (("class FastLanguageModel: pass", False), ("class FastModel: pass", True)):
        keys = find_keys("unslothai/unsloth", {"unsloth/models/loader.py": text})
        assert (ANYTHING in keys) is (ANYTHING_WITH_IMAGES in keys) is anything


def test_the_loader_of_unsloth_accepts_model_types():
    text = """
def from_pretrained(name):
    model_type = config.model_type
    if model_type == "llama": model = FastLlamaModel
    elif model_type == "mistral": model = FastMistralModel
    elif other == "phi3": pass
    if config.model_type == "qwen2" or model_type != "gemma": pass
"""
    types = list_families("unslothai/unsloth", {"unsloth/models/loader.py": text}, "architecture")
    assert types == {"llama", "mistral", "qwen2"}


def test_trl_supports_what_transformers_loads():
    files = {"trl/trainer/sft_trainer.py": "model = AutoModelForCausalLM.from_pretrained(x)",
             "trl/chat_templates/glm4moe_training.jinja": ""}  # fmt: skip
    assert find_keys("huggingface/trl", files) == {ANYTHING, Key("named", "GLM-4.5")}
    files = {"trl/trainer/utils.py": "AutoModelForImageTextToText"}
    assert find_keys("huggingface/trl", files) == {ANYTHING_WITH_IMAGES}


@pytest.mark.parametrize("repository", ["huggingface/trl", "pytorch/torchtune", "nobody/knows"])
def test_tests_examples_recipes_and_pages_show_models(repository):
    files = {
        "tests/test_sft.py": 'MODELS = ["Qwen/Qwen3-8B", "trl-internal-testing/tiny-Qwen2ForCausalLM-2.5"]',
        "docs/source/sft.md": "see [this](https://huggingface.co/google/gemma-2-9b-it) and blog/gemma3",
        "recipes/configs/x.yaml": "# tune download meta-llama/Llama-3.1-8B-Instruct\n",
        "examples/vlm.ipynb": '{"source": ["model = \\"Qwen/Qwen2.5-VL-3B-Instruct\\""]}',
        "README.md": "deepseek-ai/DeepSeek-V3 was not trained with it",
        "docs/models.txt": "openai/gpt-oss-20b",
    }
    assert list_families(repository, files, "shown") == {"Qwen3", "Gemma 2", "Llama 3.1", "Qwen2.5-VL"}
    assert list_families(repository, files) == set()


def test_a_long_page_is_data():
    page = {"docs/log.md": "google/gemma-2-9b" + " " * 1_500_000}
    assert find_keys("nobody/knows", page) == set()


def test_the_generic_extractor_leaves_out_tests_and_documents():
    code = 'MODELS = {"a": "google/gemma-2-9b", "b": "application/json"}\n'
    files = {"src/pkg/models.py": code, "tests/test_x.py": code.replace("gemma-2-9b", "gemma-7b"),
             "docs/x.py": code.replace("gemma-2-9b", "gemma-3-4b-it"),
             "examples/x.yaml": "model: Qwen/Qwen3-8B\n", "src/pkg/old.py": "print 'x'"}  # fmt: skip
    assert list_families("nobody/knows", files) == {"Gemma 2"}
    assert list_families("nobody/knows", files, "shown") == {"Gemma", "Gemma 3", "Qwen3"}


def test_the_generic_extractor_reads_modules_of_a_model_folder():
    files = dict.fromkeys(("pkg/models/gemma2.py", "pkg/v1/model/moe/gpt_oss.py", "pkg/model/llama3/__init__.py", "pkg/model/utils.py", "pkg/data/qwen3.py", "examples/models/phi4.py"), "")  # fmt: skip
    assert list_families("nobody/knows", files) == {"Gemma 2", "gpt-oss", "Llama 3"}


def test_an_example_that_loads_anything_does_not_count():
    loads = "from transformers import AutoModelForCausalLM"
    assert ANYTHING not in find_keys("nobody/knows", {"examples/x.py": loads})
    assert ANYTHING in find_keys("nobody/knows", {"src/x.py": loads})


@pytest.mark.parametrize("text", [
    'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict([("gemma2", "Gemma2ForCausalLM"), ("xglm", "X")])',
    'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES: dict = {"gemma2": "Gemma2ForCausalLM", "xglm": "X"}',
])  # fmt: skip
def test_both_forms_of_the_mapping_of_transformers(text):
    assert read_models(text) == {"gemma2": "text", "xglm": "text"}
    assert read_models("OTHER = {}\nfor x in y: pass\nMODEL_FOR_CAUSAL_LM_MAPPING_NAMES: dict") == {}


def test_a_model_that_reads_images_is_of_another_mapping():
    text = """
MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES = OrderedDict([("llava", "X"), ("gemma3", "Y")])
MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES = OrderedDict([*MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES.items()])
MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict([("gemma3", "Z")])
"""
    assert read_models(text) == {"gemma3": "text", "llava": "images"}


def test_the_bundled_architectures():
    architectures = load_architectures(data_folder() / "architectures.csv")
    assert (architectures["gemma2"].release, str(architectures["gemma2"].released_on)) == (
        "4.42.0",
        "2024-06-27",
    )
    assert (architectures["qwen3_vl"].reads, architectures["gemma2"].reads) == ("images", "text")
    missing = {f.architecture for f in FAMILIES if f.architecture} - set(architectures)
    assert not missing


def test_an_invalid_architecture_file(tmp_path):
    (tmp_path / "a.csv").write_text("architecture,release,released_on\nx,1,yesterday\n")
    with pytest.raises(ConfigError, match="yesterday"):
        load_architectures(tmp_path / "a.csv")
