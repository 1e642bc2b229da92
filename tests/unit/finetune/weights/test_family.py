"""The base models that torchtune and litgpt can build, and one task in every library."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune import run
from finetune.errors import UnsupportedField
from finetune.plan.all_stacks import render_for_stacks
from finetune.spec import compose_spec
from finetune.stacks import STACKS
from finetune.weights import family

LLAMA3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192, "rope_theta": 5e5}  # fmt: skip


def test_family_from_a_config():
    llama = family.parse_family(tiny_model.config(rope_parameters=LLAMA3))
    assert (llama.name, llama.rope_theta, llama.rope_scaling["factor"]) == ("llama", 5e5, 32.0)
    assert llama.has_interleaved_rope
    assert not family.parse_family(tiny_model.config(model_type="qwen2")).has_interleaved_rope
    # Qwen 2 has a window in its config but does not use it; Mistral uses its window.
    assert (
        family.parse_family(
            tiny_model.config(model_type="qwen2", sliding_window=32, use_sliding_window=False)
        ).window
        is None
    )
    assert family.parse_family(tiny_model.config(model_type="mistral", sliding_window=32)).window == 32


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "mamba"}, "model_type is mamba"),
        ({"attention_bias": True}, "biases"),
        ({"hidden_act": "gelu"}, "activation is gelu"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0}}, "type yarn"),
        ({"model_type": "phi3", "partial_rotary_factor": 0.5}, "part of each head"),
        ({"model_type": "qwen3", "rope_parameters": LLAMA3}, "type llama3"),
    ],
)
def test_unsupported_model_is_refused(changes, why):
    assert why in family.parse_family(tiny_model.config(**changes))


def spec_of(folder, **sections):
    (folder / "config.json").write_text(json.dumps(tiny_model.config(**sections.pop("config", {}))))
    return compose_spec([("t", {"model": {"base": str(folder)}, "data": {"train": "x"}, **sections})]).spec


def test_window_shorter_than_the_rows_is_refused(tmp_path):
    config = {"model_type": "mistral", "sliding_window": 64}
    with pytest.raises(UnsupportedField, match=r"data\.max_length.*64 tokens"):
        family.read_family("litgpt", spec_of(tmp_path, config=config, data={"train": "x", "max_length": 65}))


@pytest.mark.parametrize(
    ("targets", "layers"),
    [
        (["q_proj", "v_proj"], ("q_proj", "v_proj")),
        (["qkv_proj"], ("q_proj", "k_proj", "v_proj")),
        (["up_proj", "down_proj", "gate_proj", "o_proj"], ("o_proj", "gate_proj", "up_proj", "down_proj")),
        ("all-linear", family.ATTENTION + family.MLP),
    ],
)
def test_targets_become_separate_layers(tmp_path, targets, layers):
    assert family.resolve_targets("torchtune", spec_of(tmp_path, method={"targets": targets})) == layers


@pytest.mark.parametrize("targets", [["up_proj", "q_proj"], ["lm_head"], ["gate_up_proj", "down_proj"]])
def test_unsupported_targets_are_refused(tmp_path, targets):
    with pytest.raises(UnsupportedField, match=r"method\.targets"):
        family.resolve_targets("torchtune", spec_of(tmp_path, method={"targets": targets}))


def test_one_task_in_all_libraries(make_spec, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tasks = {task.stack: task for task in render_for_stacks(run.plan_run(make_spec(tiny_model.sums(30))))}
    assert set(tasks) == set(STACKS)
    assert "needs a GPU" in tasks["unsloth"].refusal
    for name in ("trl", "torchtune", "litgpt", "axolotl"):
        task = tasks[name]
        assert task.lines > 30
        assert task.command[0] == "python"
        assert any("0.0002" in text for text in task.config.files.values()), (
            "every native config has the learning rate"
        )
