"""RunSpec: layers with origins, what the machine settles, TOML there and back, faults named."""

from __future__ import annotations

import pytest

from finetune import spec
from finetune.errors import SpecError

BASE = {"model": {"base": "m"}, "data": {"train": "d.jsonl"}}


def compose(*layers):
    return spec.compose([("file", BASE), *layers])


def test_each_leaf_knows_its_layer():
    made = compose(("--preset quick", spec.PRESETS["quick"]), ("--set", {"training": {"steps": 7}}))
    assert made.spec.training.steps == 7
    assert made.origins["training.steps"] == "--set"
    assert made.origins["method.r"] == "--preset quick"
    assert made.origins["model.base"] == "file"
    assert made.origins["training.seed"] == "default"


@pytest.mark.parametrize("name", sorted(spec.PRESETS))
def test_presets_are_specs_and_differ(name):
    made = spec.resolve(compose(("p", spec.PRESETS[name])), gpus=1).spec
    assert made != spec.resolve(compose(), gpus=1).spec


def test_the_machine_settles_what_is_open():
    on_cpu = spec.resolve(compose(), gpus=0)
    assert (on_cpu.spec.method.name, on_cpu.spec.training.dtype, on_cpu.spec.devices.kind) == (
        "lora",
        "float32",
        "cpu",
    )
    assert on_cpu.origins["method.name"] == "machine: no GPU"
    on_gpu = spec.resolve(compose(), gpus=1)
    assert (on_gpu.spec.method.name, on_gpu.spec.training.dtype) == ("qlora", "bfloat16")
    assert on_gpu.spec.training.gradient_checkpointing is True
    assert spec.resolve(compose(), gpus=1, bfloat16=False).spec.training.dtype == "float16"
    asked = spec.resolve(compose(("--set", {"method": {"name": "full"}})), gpus=1)
    assert asked.spec.method.name == "full"
    assert asked.origins["method.name"] == "--set"


@pytest.mark.parametrize("wish", [
    {"devices": {"kind": "cuda"}}, {"training": {"optimizer": "paged_adamw_8bit"}}, {"training": {"dtype": "float16"}},
])  # fmt: skip
def test_a_gpu_only_setting_without_a_gpu_is_refused_by_name(wish):
    ((name, _),) = spec.leaves(wish)
    with pytest.raises(SpecError, match=name.replace(".", r"\.")) as caught:
        spec.resolve(compose(("--set", wish)), gpus=0)
    assert "GPU" in str(caught.value)


def test_sharding_over_one_process_is_no_silent_nothing():
    asked = {"devices": {"strategy": "fsdp"}}
    with pytest.raises(SpecError, match=r"devices\.strategy = 'fsdp'.*--gpus N"):
        spec.resolve(compose(("--set", asked)), gpus=1)
    two = {"devices": {"strategy": "fsdp", "processes": 2}}
    assert spec.resolve(compose(("--set", two)), gpus=2).spec.world_size == 2


@pytest.mark.parametrize(("wish", "told"), [
    ({"training": {"learning_rat": 1}}, "training.learning_rat: there is no such field (from --set)"),
    ({"training": {"learning_rate": -1}}, "training.learning_rate"),
    ({"training": {"batch_size": 10, "micro_batch_size": 4}}, "no multiple of micro_batch_size"),
    ({"method": {"name": "ia3", "dora": True}}, "belong to lora and qlora"),
    ({"method": {"targets": []}}, "targets is empty"),
    ({"nonsense": 1}, "nonsense: there is no such field"),
])  # fmt: skip
def test_faults_are_named_with_their_source(wish, told):
    with pytest.raises(SpecError) as caught:
        compose(("--set", wish))
    assert told in str(caught.value)


def test_toml_there_and_back(tmp_path):
    made = spec.resolve(
        compose(("--set", {"method": {"targets": ["q_proj", "v_proj"]}, "data": {"template": 'a "b" \\ ü'}})),
        gpus=0,
    ).spec
    (tmp_path / "run.toml").write_text(spec.to_toml(made))
    assert spec.compose([("file", spec.read_layer(tmp_path / "run.toml"))]).spec == made


def test_steps_and_warmup_count_optimiser_steps():
    made = spec.resolve(
        compose(("--set", {"training": {"batch_size": 16, "epochs": 2.0, "warmup": 0.1}})), gpus=0
    ).spec
    assert made.steps(100) == 14
    assert made.warmup_steps(100) == 1
    assert made.accumulation == 4
    fixed = spec.compose([("f", BASE), ("s", {"training": {"steps": 30, "warmup": 5}})]).spec
    assert (fixed.steps(100), fixed.warmup_steps(100)) == (30, 5)


@pytest.mark.parametrize(("text", "why"), [
    (None, "there is no run file"), (b"model = ", "is not TOML"), (b"\xff", "is not TOML"), ("a folder", "Is a directory"),
])  # fmt: skip
def test_a_run_file_that_cannot_be_read_is_named(tmp_path, text, why):
    file = tmp_path / "run.toml"
    if isinstance(text, bytes):
        file.write_bytes(text)
    elif text:
        file.mkdir()
    with pytest.raises(SpecError, match=why):
        spec.read_layer(file)


def test_an_unknown_preset_and_a_value_for_a_section_are_refused():
    with pytest.raises(SpecError, match="unknown preset 'best'; known: "):
        spec.preset("best")
    with pytest.raises(SpecError, match=r"model\.base: model is a value, not a section"):
        spec.nest({"model": "a/b", "model.base": "a/b"})
