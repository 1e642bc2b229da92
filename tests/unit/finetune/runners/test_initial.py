"""Every stack begins with the same adapter, whatever it calls the layers; micro-batches weigh by their tokens."""

from __future__ import annotations

import json

import pytest
import torch

from finetune.runners.initial import begin, draw
from finetune.runners.litgpt_lora import _weights
from finetune.runners.stream import Stream


class Model:
    def __init__(self, **shapes):
        self.weights = {name.replace("__", "."): torch.ones(shape) for name, shape in shapes.items()}

    def named_parameters(self):
        return self.weights.items()


PEFT = "base_model.model.model.layers.3."


def test_the_same_numbers_under_every_stacks_names():
    peft = Model(**{f"{PEFT}self_attn.{n}_proj.lora_A.default.weight": (4, 16) for n in "qkvo"})
    peft.weights[f"{PEFT}mlp.down_proj.lora_A.default.weight"] = torch.ones(4, 32)
    tune = Model(
        **{f"layers.3.attn.{n}.lora_a.weight": (4, 16) for n in ("q_proj", "k_proj", "v_proj", "output_proj")}
    )
    tune.weights["layers.3.mlp.w2.lora_a.weight"] = torch.ones(4, 32)
    lit = Model(**{"transformer.h.3.attn.qkv.lora_A": (8, 16), "transformer.h.3.attn.proj.lora_A": (4, 16)})
    lit.weights["transformer.h.3.mlp.proj.lora_A"] = torch.ones(4, 32)
    assert begin(peft, 7, rank=4) == begin(tune, 7, rank=4, stack="torchtune") == 5
    assert begin(lit, 7, rank=4, stack="litgpt", qkv=("q_proj", "v_proj")) == 4
    for ours, theirs in zip(peft.weights.values(), tune.weights.values(), strict=True):
        assert torch.equal(ours, theirs)
    q, _, v, o, down = peft.weights.values()
    assert torch.equal(torch.cat([q, v]), lit.weights["transformer.h.3.attn.qkv.lora_A"])
    assert torch.equal(o, lit.weights["transformer.h.3.attn.proj.lora_A"])
    assert torch.equal(down, lit.weights["transformer.h.3.mlp.proj.lora_A"])


def test_seed_layer_and_name_each_give_other_numbers_of_pefts_distribution():
    made = draw(64, 256, seed=1, layer=0, name="q_proj")
    for other in ({"seed": 2}, {"layer": 1}, {"name": "k_proj"}):
        assert not torch.equal(made, draw(64, 256, **{"seed": 1, "layer": 0, "name": "q_proj", **other}))
    theirs = torch.empty(64, 256)
    torch.nn.init.kaiming_uniform_(theirs, a=5**0.5)
    assert float(made.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.01)
    assert float(made.std()) == pytest.approx(float(theirs.std()), rel=0.02)


def test_what_is_no_linear_layer_of_a_block_is_left_alone():
    model = Model(
        **{f"{PEFT}mlp.up_proj.lora_B.default.weight": (16, 4), "lm_head.lora_A.default.weight": (4, 16)}
    )
    model.weights[f"{PEFT}mlp.up_proj.lora_A.default.weight"] = torch.ones(6, 16)  # of another rank
    assert begin(model, 1, rank=4) == 0
    assert all(bool((weight == 1).all()) for weight in model.weights.values())


def test_micro_batches_of_litgpt_weigh_by_their_trained_tokens(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"input_ids": [1] * 6, "labels": [-100] * (5 - n) + [1] * (n + 1)} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stream = Stream(str(path), steps=1, batch=4, seed=3)
    trained = [sum(label != -100 for label in stream[n]["labels"][1:]) for n in range(4)]
    weights = _weights(stream, 2, 2)
    first, second = sum(trained[:2]), sum(trained[2:])
    assert weights == [2 * first / (first + second), 2 * second / (first + second)]
