"""What a plan says of a model that does not fit, and of one whose sizes are not understood."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from finetune import spec
from finetune.machine import memory
from finetune.machine.hardware import Machine
from finetune.plan import cost
from finetune.weights import base

SHAPE = base.shape({
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
})  # fmt: skip


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    asked = {"model": {"base": "a/b"}, "data": {"train": "d"}, "training": {"micro_batch_size": 4}}
    made = spec.resolve(spec.compose([("t", asked)]), gpus=0)
    data = SimpleNamespace(rows=10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900})

    def of(shape, gibibytes):
        predicted = memory.predict(shape, made.spec, 512, 0) if shape else None
        here = Machine("a CPU", 2, gibibytes * 2**30, ())
        return SimpleNamespace(spec=made.spec, data=data, shape=shape, predicted=predicted, here=here)

    return of


def test_the_verdict_names_the_smallest_change_that_fits(plan):
    need = plan(SHAPE, 1).predicted.total
    assert f"fits: {need / 2**30:.2f} of 400.00 GiB" in cost.lines(plan(SHAPE, 400))
    tight = next(line for line in cost.lines(plan(SHAPE, int(need / 2**30))) if "fit" in line)
    assert tight.startswith("does not fit: ")
    assert "The smallest change that fits: --set training.micro_batch_size=2 (" in tight
    assert any(line.endswith("take a smaller model") for line in cost.lines(plan(SHAPE, 1)))


def test_what_is_not_understood_is_said_to_be_unknown(plan):
    told = cost.lines(plan(base.shape({"model_type": "mamba", "state_size": 16}), 8))
    assert told[0].startswith("memory: not known; this family names its sizes")
    assert "not known, no run on this machine" in told[1]
    assert told[2] == "disk: not known"
