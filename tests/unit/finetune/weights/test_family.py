"""Which base models torchtune and litgpt can be told to build, and what each library says to one task."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune import run
from finetune.errors import UnsupportedField
from finetune.plan.side_by_side import sides
from finetune.spec import compose
from finetune.stacks import STACKS
from finetune.weights import family

LLAMA3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192, "rope_theta": 5e5}  # fmt: skip


def test_a_family_is_read_from_its_config():
    told = family.read(tiny_model.config(rope_parameters=LLAMA3))
    assert (told.name, told.rope_theta, told.rope_scaling["factor"]) == ("llama", 5e5, 32.0)
    assert told.interleaved
    assert not family.read(tiny_model.config(model_type="qwen2")).interleaved
    # Qwen 2 names a window that it does not use; Mistral uses the one that it names.
    assert (
        family.read(tiny_model.config(model_type="qwen2", sliding_window=32, use_sliding_window=False)).window
        is None
    )
    assert family.read(tiny_model.config(model_type="mistral", sliding_window=32)).window == 32


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "mamba"}, "model_type is mamba"),
        ({"attention_bias": True}, "biases"),
        ({"hidden_act": "gelu"}, "activation is gelu"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0}}, "kind yarn"),
        ({"model_type": "phi3", "partial_rotary_factor": 0.5}, "part of each head"),
        ({"model_type": "qwen3", "rope_parameters": LLAMA3}, "kind llama3"),
    ],
)
def test_a_model_that_would_be_built_wrong_is_refused(changes, why):
    assert why in family.read(tiny_model.config(**changes))


def spec_of(folder, **sections):
    (folder / "config.json").write_text(json.dumps(tiny_model.config(**sections.pop("config", {}))))
    return compose([("t", {"model": {"base": str(folder)}, "data": {"train": "x"}, **sections})]).spec


def test_a_window_shorter_than_the_rows_is_refused(tmp_path):
    config = {"model_type": "mistral", "sliding_window": 64}
    with pytest.raises(UnsupportedField, match=r"data\.max_length.*64 tokens"):
        family.of("litgpt", spec_of(tmp_path, config=config, data={"train": "x", "max_length": 65}))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["q_proj", "v_proj"], ("q_proj", "v_proj")),
        (["qkv_proj"], ("q_proj", "k_proj", "v_proj")),
        (["up_proj", "down_proj", "gate_proj", "o_proj"], ("o_proj", "gate_proj", "up_proj", "down_proj")),
        ("all-linear", family.ATTENTION + family.MLP),
    ],
)
def test_targets_in_the_stacks_words(tmp_path, asked, answer):
    assert family.targets("torchtune", spec_of(tmp_path, method={"targets": asked})) == answer


@pytest.mark.parametrize("asked", [["up_proj", "q_proj"], ["lm_head"], ["gate_up_proj", "down_proj"]])
def test_targets_that_cannot_be_trained_are_refused(tmp_path, asked):
    with pytest.raises(UnsupportedField, match=r"method\.targets"):
        family.targets("torchtune", spec_of(tmp_path, method={"targets": asked}))


def test_one_task_in_all_libraries(composed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = {side.stack: side for side in sides(run.plan(composed(tiny_model.sums(30))))}
    assert set(found) == set(STACKS)
    assert "GPUs alone" in found["unsloth"].refused
    for name in ("trl", "torchtune", "litgpt", "axolotl"):
        side = found[name]
        assert side.lines > 30
        assert side.command[0] == "python"
        assert any("0.0002" in text for text in side.rendered.files.values()), (
            "the learning rate is said by all"
        )
