"""What a plan says about a model that does not fit, and about one with unknown sizes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from finetune import spec
from finetune.machine import memory
from finetune.machine.hardware import Gpu, Machine
from finetune.plan import cost
from finetune.weights import base

SHAPE = base.read_shape({
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
})  # fmt: skip


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    layer = {"model": {"base": "a/b"}, "data": {"train": "d"}, "training": {"micro_batch_size": 4}}
    composed_spec = spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=0)
    data = SimpleNamespace(
        count_sequences=lambda _: 10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900}
    )

    def make_plan(shape, gibibytes):
        prediction = memory.predict_memory(shape, composed_spec.spec, 512, 0) if shape else None
        machine = Machine("a CPU", 2, gibibytes * 2**30, ())
        return SimpleNamespace(
            spec=composed_spec.spec, data=data, shape=shape, prediction=prediction, machine=machine
        )

    return make_plan


def test_plan_names_the_smallest_change_that_fits(plan):
    peak = plan(SHAPE, 1).prediction.total
    assert f"fits: {peak / 2**30:.2f} of 400.00 GiB" in cost.describe_costs(plan(SHAPE, 400))
    tight = next(line for line in cost.describe_costs(plan(SHAPE, int(peak / 2**30))) if "fit" in line)
    assert tight.startswith("does not fit: ")
    assert "The smallest change that fits: --set training.micro_batch_size=2 (" in tight
    assert any(line.endswith("use a smaller model") for line in cost.describe_costs(plan(SHAPE, 1)))


def test_costs_of_a_model_with_unknown_sizes_are_unknown(plan):
    lines = cost.describe_costs(plan(base.read_shape({"model_type": "mamba", "state_size": 16}), 8))
    assert lines[0].startswith("memory: unknown; advisor does not know the names of the sizes")
    assert "unknown until a similar run finishes on this machine" in lines[1]
    assert lines[2] == "disk: unknown"


def test_room_is_the_free_memory_of_the_gpus_that_the_run_uses(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    layer = {"model": {"base": "a/b"}, "data": {"train": "d"}}
    run_spec = spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=2).spec
    data = SimpleNamespace(
        count_sequences=lambda _: 10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900}
    )
    gpus = (Gpu("NVIDIA H100 80GB HBM3", 80 * 2**30, 9.0, 3 * 2**30), Gpu("Tesla T4", 2**30, 7.5))
    plan = SimpleNamespace(
        spec=run_spec,
        data=data,
        shape=SHAPE,
        prediction=memory.predict_memory(SHAPE, run_spec, 512),
        machine=Machine("a CPU", 2, 2**30, gpus),
    )
    lines = cost.describe_costs(plan)
    assert lines[0] == "devices: 2 GPUs found, 1 used; to use all of them: --gpus 2"
    assert any("does not fit: " in line and "of 3.00 GiB" in line for line in lines)
