"""What a plan says about a model that does not fit, and about one with unknown sizes."""

from __future__ import annotations

import re
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
    data = SimpleNamespace(rows=10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900})

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
    data = SimpleNamespace(rows=10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900})
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


@pytest.mark.parametrize(("dtype", "lines"), [("bfloat16", 1), (None, 0)])
def test_plan_says_that_a_card_without_bfloat16_is_slow_with_it(tmp_path, monkeypatch, dtype, lines):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    layer = {"model": {"base": "a/b"}, "data": {"train": "d"}, "training": {"dtype": dtype} if dtype else {}}
    run_spec = spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=1, bfloat16=False).spec
    plan = SimpleNamespace(
        spec=run_spec,
        data=SimpleNamespace(rows=10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900}),
        shape=SHAPE,
        prediction=memory.predict_memory(SHAPE, run_spec, 512),
        machine=Machine("a CPU", 2, 2**30, (Gpu("Tesla T4", 15 * 2**30, 7.5),)),
    )
    notes = [
        line for line in cost.describe_costs(plan) if line.startswith("devices: Tesla T4 has no bfloat16")
    ]
    assert len(notes) == lines


@pytest.mark.parametrize(("gibibytes", "verb"), [(12, "is not judged"), (24, "is judged")])
def test_plan_counts_the_evaluation_after_the_training(tmp_path, monkeypatch, gibibytes, verb):
    """8B in 16 bits is 14.96 GiB; with context, adapter and logits about 17."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    layer = {"model": {"base": "a/b"}, "data": {"train": "d"}, "training": {"micro_batch_size": 1}}
    run_spec = spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=1).spec
    prediction = memory.predict_memory(SHAPE, run_spec, 512)
    plan = SimpleNamespace(
        spec=run_spec,
        data=SimpleNamespace(rows=10, folder=tmp_path, summary={"longest": 512, "train_tokens": 900}),
        shape=SHAPE,
        prediction=prediction,
        machine=Machine("a CPU", 2, 2**30, (Gpu("a card", gibibytes * 2**30, 8.9),)),
    )
    lines = cost.describe_costs(plan)
    assert any(
        line.startswith("speed: the limit is unknown; advisor has no peaks of a card") for line in lines
    )
    line = next(line for line in lines if line.startswith("evaluation: "))
    assert line.endswith(verb)
    assert re.search(
        r"the 4-bit model needs 6\.\d+ GiB and is judged; the 16-bit model needs 16\.\d+ GiB", line
    )
    assert any(line.startswith("fits: ") for line in lines)
    # One row of 16,384 tokens has 3.9 GiB of logits in the evaluation; training has tiles of them.
    long_spec = run_spec.model_copy(update={"data": run_spec.data.model_copy(update={"max_length": 16384})})
    prediction = memory.predict_memory(SHAPE, long_spec, 16384)
    assert prediction.evaluation > 10 * 2**30


def test_plan_describes_the_limit_of_the_speed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    layer = {"model": {"base": "a/b"}, "data": {"train": "d"}}
    run_spec = spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=1).spec
    plan = SimpleNamespace(
        spec=run_spec,
        data=SimpleNamespace(rows=10, folder=tmp_path, summary={"longest": 2048, "train_tokens": 20480}),
        shape=SHAPE,
        prediction=memory.predict_memory(SHAPE, run_spec, 2048),
        machine=Machine("a CPU", 2, 2**30, (Gpu("NVIDIA H100 80GB HBM3", 80 * 2**30, 9.0),)),
    )
    assert (
        "speed: at most 21,200 tokens/s on 1 x NVIDIA H100 80GB HBM3 (46.7 GFLOP a token, limited by computing); "
        "expected 8,000 to 12,900"
    ) in cost.describe_costs(plan)
