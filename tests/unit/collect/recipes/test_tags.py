"""Recipes in files as libraries lay them out: model, method, task, data and hardware, or no recipe at all."""

from __future__ import annotations

import json

import pytest

from advisor.collect.recipes.tags import RecipeReader
from advisor.domain.families import load_families
from advisor.domain.files import data_folder
from advisor.domain.recipe_words import load_words
from advisor.errors import ConfigError

WORDS, FAMILIES = load_words(), load_families()


def read(repository, path, text):
    reader = RecipeReader(WORDS.find_layout(repository), WORDS, FAMILIES)
    return reader.read_recipes(path, text) if reader.is_relevant(path) else []


def tags(recipe):
    return recipe.family, recipe.method, recipe.task, recipe.data_format


AXOLOTL = "axolotl-ai-cloud/axolotl"


@pytest.mark.parametrize(
    ("text", "tags_of_it"),
    [
        ("adapter: qlora\nload_in_4bit: true\ndatasets:\n  - type: alpaca", ("qlora", "sft", "alpaca")),
        ("adapter: lora\nload_in_4bit: false\ndatasets:\n  - type: chat_template", ("lora", "sft", "chat")),
        ("adapter: lora\nload_in_4bit: true\nrl: dpo", ("qlora", "dpo", "preference")),
        # Empty keys say nothing: this one trains all weights.
        ("adapter:\nlora_r:\nlora_alpha:\nrl:\ndatasets:\n  - type: alpaca", ("full", "sft", "alpaca")),
        ("# adapter: qlora\n# load_in_4bit: true\nrl: grpo", ("full", "grpo", "prompts")),
        ("pretraining_dataset:\n  - path: a/b", ("full", "pretraining", "text")),
    ],
)
def test_a_configuration_says_what_it_trains(text, tags_of_it):
    (recipe,) = read(AXOLOTL, "examples/gemma2/x.yaml", f"base_model: google/gemma-2-9b\n{text}\n")
    assert tags(recipe) == ("Gemma 2", *tags_of_it)
    assert (recipe.kind, recipe.model) == ("config", "google/gemma-2-9b")


def test_the_name_of_the_file_says_what_the_text_does_not():
    text = "# tune download google/gemma-2-9b --output-dir /tmp/x\nmodel:\n  _component_: torchtune.models.gemma2.{}\n"
    path = "recipes/configs/gemma2/9B_{}.yaml"
    for component, name, method, gpus in (
        ("qlora_gemma2_9b", "qlora_single_device", "qlora", 1),
        ("lora_gemma2_9b", "lora", "lora", None),
        ("gemma2_9b", "full_dpo", "full", None),
        ("lora_gemma2_9b\n  use_dora: True\n  quantize_base: True", "qdora_single_device", "qdora", 1),
    ):
        (recipe,) = read("pytorch/torchtune", path.format(name), text.format(component))
        assert (recipe.family, recipe.method, recipe.gpus) == ("Gemma 2", method, gpus), name
        assert recipe.task == ("dpo" if "dpo" in name else "sft")


SCRIPT = '''"""
# Full training, tested on 8x H100 GPUs
accelerate launch examples/scripts/dpo.py \\
    --model_name_or_path Qwen/Qwen2-0.5B-Instruct \\
    --output_dir out

# LoRA
python examples/scripts/dpo.py \\
    --model_name_or_path Qwen/Qwen2-0.5B-Instruct \\
    --use_peft
# the server beside it
trl vllm-serve --model Qwen/Qwen3-4B
"""
from trl import DPOTrainer

trainer = DPOTrainer(model=args.model_name_or_path)
'''


def test_each_command_of_a_script_is_a_recipe():
    full, lora = read("huggingface/trl", "examples/scripts/dpo.py", SCRIPT)
    assert tags(full) == ("Qwen2", "full", "dpo", "preference")
    assert tags(lora) == ("Qwen2", "lora", "dpo", "preference")
    assert (full.gpus, full.memory_gb, full.hardware) == (8, 80, "8x H100; H100")


PAGE = """# GRPO

```python
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained("google/gemma-2-9b")
```

Train on one GPU with 24 GB VRAM:

```python
trainer = GRPOTrainer(model="Qwen/Qwen2.5-0.5B", peft_config=LoraConfig())
```
"""


def test_a_page_has_the_blocks_that_train():
    (recipe,) = read("huggingface/trl", "docs/source/online.md", PAGE)
    assert tags(recipe) == ("Qwen2.5", "lora", "grpo", "prompts")
    assert (recipe.kind, recipe.gpus, recipe.memory_gb) == ("page", 1, 24)


def test_a_key_of_a_configuration_is_no_command():
    block = "base_model: Qwen/Qwen2.5-1.5B\nrl: grpo\nadapter: lora\ntrl:\n  use_vllm: true\n"
    (recipe,) = read(AXOLOTL, "docs/grpo.qmd", f"Create it:\n\n```yaml\n{block}```\n")
    assert tags(recipe) == ("Qwen2.5", "lora", "grpo", "prompts")


def notebook(*cells):
    return json.dumps({"cells": [{"cell_type": kind, "source": [text]} for kind, text in cells]})


def test_a_notebook_is_one_recipe():
    text = notebook(
        ("markdown", "Run this on a **free** Tesla T4 Google Colab instance!"),
        ("code", 'FastLanguageModel.from_pretrained(model_name = "unsloth/gemma-2-9b", load_in_4bit = True)'),
        ("code", "model = FastLanguageModel.get_peft_model(model)\n# adapter for Tesla V100"),
        ("code", "trainer = ORPOTrainer(model)"),
    )
    (recipe,) = read("unslothai/unsloth", "nb/Gemma2.ipynb", text)
    assert tags(recipe) == ("Gemma 2", "qlora", "orpo", "preference")
    assert (recipe.gpus, recipe.memory_gb, recipe.hardware) == (1, 16, "a free Tesla T4; T4")
    assert read("unslothai/unsloth", "nb/Kaggle-Gemma2.ipynb", text) == [], "the same notebook for Kaggle"


@pytest.mark.parametrize(
    ("repository", "path", "text"),
    [
        (AXOLOTL, "examples/cloud/modal.yaml", "provider: modal\n"),
        (AXOLOTL, "src/x.yaml", "base_model: google/gemma-2-9b\n"),
        ("pytorch/torchtune", "recipes/configs/gemma/evaluation.yaml", "# tune download google/gemma-2b\n"),
        ("hiyouga/LLaMA-Factory", "examples/merge_lora/a.yaml", "model_name_or_path: Qwen/Qwen3-4B\n"),
        ("own/er", "examples/serve.py", 'model = AutoModel.from_pretrained("google/gemma-2-9b")\n'),
        ("own/er", "nb/broken.ipynb", "{"),
        ("own/er", "nb/odd.ipynb", '{"cells": [{"cell_type": "code"}]}'),
    ],
)
def test_what_trains_no_model_is_no_recipe(repository, path, text):
    assert read(repository, path, text) == []


def test_any_library_has_recipes_by_the_words_of_the_field():
    text = 'model_id = "Qwen/Qwen3-4B"\npeft = LoraConfig(r=8)\ntrainer = SFTTrainer(model_id)\n'
    (recipe,) = read("own/er", "examples/train_one.py", text)
    assert tags(recipe) == ("Qwen3", "lora", "sft", None)


def test_words_need_time_in_proportion_to_the_text():
    for text in ("\n" * 150_000, "base_model:" * 15_000, "GRPO" * 30_000, "8x " * 50_000, "a/" * 70_000):
        read(AXOLOTL, "examples/x.yaml", text)
        read("own/er", "docs/x.md", f"```\n{text}\n```")
        read("own/er", "examples/x.py", text)


def test_a_wrong_pattern_is_an_error_with_its_place(tmp_path):
    text = (data_folder() / "recipes.toml").read_text()
    (tmp_path / "recipes.toml").write_text(text.replace("'''^examples/.+\\.ya?ml$'''", "'''('''", 1))
    with pytest.raises(ConfigError, match=r"recipes.toml: layout.0.config: invalid regular expression"):
        load_words(tmp_path)
