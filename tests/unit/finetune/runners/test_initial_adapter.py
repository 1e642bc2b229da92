"""Every stack starts with the same adapter, whatever its layer names; micro-batches have weights by tokens."""

from __future__ import annotations

import json

import pytest
import torch

from finetune.runners.initial_adapter import draw_matrix, initialise_adapter
from finetune.runners.litgpt_lora import _micro_batch_weights
from finetune.runners.stream import open_stream


class Model:
    def __init__(self, **shapes):
        self.weights = {name.replace("__", "."): torch.ones(shape) for name, shape in shapes.items()}

    def named_parameters(self):
        return self.weights.items()


PEFT = "base_model.model.model.layers.3."


def test_values_are_the_same_under_every_stacks_layer_names():
    peft = Model(**{f"{PEFT}self_attn.{n}_proj.lora_A.default.weight": (4, 16) for n in "qkvo"})
    peft.weights[f"{PEFT}mlp.down_proj.lora_A.default.weight"] = torch.ones(4, 32)
    tune = Model(
        **{f"layers.3.attn.{n}.lora_a.weight": (4, 16) for n in ("q_proj", "k_proj", "v_proj", "output_proj")}
    )
    tune.weights["layers.3.mlp.w2.lora_a.weight"] = torch.ones(4, 32)
    lit = Model(**{"transformer.h.3.attn.qkv.lora_A": (8, 16), "transformer.h.3.attn.proj.lora_A": (4, 16)})
    lit.weights["transformer.h.3.mlp.proj.lora_A"] = torch.ones(4, 32)
    assert initialise_adapter(peft, 7, rank=4) == initialise_adapter(tune, 7, rank=4, stack="torchtune") == 5
    assert initialise_adapter(lit, 7, rank=4, stack="litgpt", qkv=("q_proj", "v_proj")) == 4
    for ours, theirs in zip(peft.weights.values(), tune.weights.values(), strict=True):
        assert torch.equal(ours, theirs)
    q, _, v, o, down = peft.weights.values()
    assert torch.equal(torch.cat([q, v]), lit.weights["transformer.h.3.attn.qkv.lora_A"])
    assert torch.equal(o, lit.weights["transformer.h.3.attn.proj.lora_A"])
    assert torch.equal(down, lit.weights["transformer.h.3.mlp.proj.lora_A"])


def test_seed_layer_and_name_change_the_values_but_not_the_distribution():
    matrix = draw_matrix(64, 256, seed=1, layer=0, name="q_proj")
    for other in ({"seed": 2}, {"layer": 1}, {"name": "k_proj"}):
        assert not torch.equal(
            matrix, draw_matrix(64, 256, **{"seed": 1, "layer": 0, "name": "q_proj", **other})
        )
    theirs = torch.empty(64, 256)
    torch.nn.init.kaiming_uniform_(theirs, a=5**0.5)
    assert float(matrix.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.01)
    assert float(matrix.std()) == pytest.approx(float(theirs.std()), rel=0.02)


def test_layers_outside_the_blocks_stay_as_they_are():
    model = Model(
        **{f"{PEFT}mlp.up_proj.lora_B.default.weight": (16, 4), "lm_head.lora_A.default.weight": (4, 16)}
    )
    model.weights[f"{PEFT}mlp.up_proj.lora_A.default.weight"] = torch.ones(6, 16)  # another rank
    assert initialise_adapter(model, 1, rank=4) == 0
    assert all(bool((weight == 1).all()) for weight in model.weights.values())


def test_weights_of_litgpts_micro_batches_follow_their_trained_tokens(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"input_ids": [1] * 6, "labels": [-100] * (5 - n) + [1] * (n + 1)} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stream = open_stream(str(path), samples=4, steps=1, batch=4, seed=3)
    counts = [sum(label != -100 for label in stream[n]["labels"][1:]) for n in range(4)]
    weights = _micro_batch_weights(stream, 2, 2)
    first, second = sum(counts[:2]), sum(counts[2:])
    assert weights == [2 * first / (first + second), 2 * second / (first + second)]
