"""RunSpec: layers with origins, automatic values, TOML round trip, error messages."""

from __future__ import annotations

import re

import pytest

from finetune import spec
from finetune.errors import SpecError

BASE = {"model": {"base": "m"}, "data": {"train": "d.jsonl"}}


def compose(*layers):
    return spec.compose_spec([("file", BASE), *layers])


def test_each_leaf_has_its_origin():
    composed_spec = compose(("--preset quick", spec.PRESETS["quick"]), ("--set", {"training": {"steps": 7}}))
    assert composed_spec.spec.training.steps == 7
    assert composed_spec.origins["training.steps"] == "--set"
    assert composed_spec.origins["method.r"] == "--preset quick"
    assert composed_spec.origins["model.base"] == "file"
    assert composed_spec.origins["training.seed"] == "default"


@pytest.mark.parametrize("name", sorted(spec.PRESETS))
def test_presets_are_valid_and_differ_from_the_defaults(name):
    run_spec = spec.resolve_spec(compose(("p", spec.PRESETS[name])), gpus=1).spec
    assert run_spec != spec.resolve_spec(compose(), gpus=1).spec


def test_machine_sets_automatic_leaves():
    on_cpu = spec.resolve_spec(compose(), gpus=0)
    assert (on_cpu.spec.method.name, on_cpu.spec.training.dtype, on_cpu.spec.devices.kind) == (
        "lora",
        "float32",
        "cpu",
    )
    assert on_cpu.origins["method.name"] == "machine: no GPU"
    on_gpu = spec.resolve_spec(compose(), gpus=1)
    assert (on_gpu.spec.method.name, on_gpu.spec.training.dtype) == ("qlora", "bfloat16")
    assert on_gpu.spec.training.gradient_checkpointing is True
    assert spec.resolve_spec(compose(), gpus=1, bfloat16=False).spec.training.dtype == "float16"
    explicit = spec.resolve_spec(compose(("--set", {"method": {"name": "full"}})), gpus=1)
    assert explicit.spec.method.name == "full"
    assert explicit.origins["method.name"] == "--set"


@pytest.mark.parametrize("layer", [
    {"devices": {"kind": "cuda"}}, {"training": {"optimizer": "paged_adamw_8bit"}}, {"training": {"dtype": "float16"}},
])  # fmt: skip
def test_gpu_setting_without_a_gpu_is_refused_with_its_name(layer):
    ((name, _),) = spec.iterate_leaves(layer)
    with pytest.raises(SpecError, match=name.replace(".", r"\.")) as error:
        spec.resolve_spec(compose(("--set", layer)), gpus=0)
    assert "GPU" in str(error.value)


@pytest.mark.parametrize(("training", "gpus", "bfloat16", "message"), [
    ({"attention": "flash"}, 0, True, r"attention = 'flash' needs a GPU.*use 'sdpa'"),
    ({"attention": "flash"}, 1, False, r"needs a GPU of compute capability 8\.0.*use 'sdpa'"),
    ({"attention": "flash", "dtype": "float32"}, 1, True, r"computes in bfloat16 or float16 only"),
    ({"liger_kernels": True}, 0, True, r"liger_kernels = true needs a GPU"),
    ({"fused_optimizer": False, "optimizer": "paged_adamw_8bit"}, 1, True, "'paged_adamw_8bit' is always fused"),
])  # fmt: skip
def test_kernels_that_cannot_run_are_refused_before_the_run(training, gpus, bfloat16, message):
    with pytest.raises(SpecError, match=message):
        spec.resolve_spec(compose(("--set", {"training": training})), gpus=gpus, bfloat16=bfloat16)


def test_kernels_that_can_run_are_accepted():
    training = {"attention": "flash", "liger_kernels": True, "fused_optimizer": False}
    run_spec = spec.resolve_spec(compose(("--set", {"training": training})), gpus=1).spec
    assert run_spec.training.attention == "flash"
    assert spec.resolve_spec(compose(("--set", {"training": {"attention": "eager"}})), gpus=0)


def test_sharding_over_one_process_is_refused():
    one = {"devices": {"strategy": "fsdp"}}
    with pytest.raises(SpecError, match=r"devices\.strategy = 'fsdp'.*--gpus N"):
        spec.resolve_spec(compose(("--set", one)), gpus=1)
    two = {"devices": {"strategy": "fsdp", "processes": 2}}
    assert spec.resolve_spec(compose(("--set", two)), gpus=2).spec.world_size == 2


@pytest.mark.parametrize(("layer", "message"), [
    ({"training": {"learning_rat": 1}}, "training.learning_rat: there is no such field (from --set)"),
    ({"training": {"learning_rate": -1}}, "training.learning_rate"),
    ({"training": {"batch_size": 10, "micro_batch_size": 4}}, "not a multiple of micro_batch_size"),
    ({"method": {"targets": []}}, "method.targets: it is empty"),
    ({"nonsense": 1}, "nonsense: there is no such field"),
])  # fmt: skip
def test_error_shows_the_field_and_its_origin(layer, message):
    with pytest.raises(SpecError) as error:
        compose(("--set", layer))
    assert message in str(error.value)


def test_more_processes_than_gpus_are_refused_with_the_number():
    four = {"devices": {"processes": 4}}
    with pytest.raises(
        SpecError, match=r"devices\.processes = 4, but this machine has 2 usable GPUs.*--gpus 2"
    ):
        spec.resolve_spec(compose(("--gpus", four)), gpus=2)
    on_cpu = {"devices": {"processes": 4, "kind": "cpu"}}
    assert spec.resolve_spec(compose(("--set", on_cpu)), gpus=2).spec.world_size == 4
    assert spec.resolve_spec(compose(("--gpus", four)), gpus=4).spec.world_size == 4


def test_toml_round_trip(tmp_path):
    run_spec = spec.resolve_spec(
        compose(("--set", {"method": {"targets": ["q_proj", "v_proj"]}, "data": {"template": 'a "b" \\ ü'}})),
        gpus=0,
    ).spec
    (tmp_path / "run.toml").write_text(spec.to_toml(run_spec))
    assert spec.compose_spec([("file", spec.read_layer(tmp_path / "run.toml"))]).spec == run_spec


def test_steps_and_warmup_are_optimiser_steps():
    run_spec = spec.resolve_spec(
        compose(("--set", {"training": {"batch_size": 16, "epochs": 2.0, "warmup": 0.1}})), gpus=0
    ).spec
    assert run_spec.count_samples(100) == 200
    assert run_spec.count_steps(100) == 13
    assert run_spec.count_warmup_steps(100) == 1
    assert run_spec.accumulation == 4
    explicit = spec.compose_spec([("f", BASE), ("s", {"training": {"steps": 30, "warmup": 5}})]).spec
    assert (explicit.count_steps(100), explicit.count_warmup_steps(100)) == (30, 5)
    assert explicit.count_samples(100) == 480


@pytest.mark.parametrize(("text", "why"), [
    (None, "no such file or directory"), (b"model = ", "is not valid TOML"), (b"\xff", "is not UTF-8 text"),
    ("a folder", "is a directory"),
])  # fmt: skip
def test_unreadable_run_file_is_refused_with_its_reason(tmp_path, text, why):
    file = tmp_path / "run.toml"
    if isinstance(text, bytes):
        file.write_bytes(text)
    elif text:
        file.mkdir()
    with pytest.raises(SpecError, match=why):
        spec.read_layer(file)


def test_unknown_preset_and_value_in_place_of_a_section_are_refused():
    with pytest.raises(SpecError, match="unknown preset 'best'; known: "):
        spec.get_preset("best")
    with pytest.raises(SpecError, match=r"model\.base: model is a value, not a section"):
        spec.nest_leaves({"model": "a/b", "model.base": "a/b"})


@pytest.mark.parametrize(("leaf", "why"), [
    ("data.objective", "the field is method.objective"), ("method.reward", "advisor trains no reward model"),
    ("method.modules_to_save", "advisor trains linear layers only"),
    ("model.added_tokens", "LoRA does not train the embedding of a new token"),
    ("data.images", "advisor trains on text only"), ("method.rank", "there is no such field"),
])  # fmt: skip
def test_field_that_people_look_for_is_refused_with_the_reason(leaf, why):
    with pytest.raises(SpecError, match=re.escape(f"invalid run spec: {leaf}: {why}")):
        compose(("--set", spec.nest_leaves({leaf: "x"})))


@pytest.mark.parametrize(("objective", "why"), [
    ("grpo", "GRPO needs a reward function"),
    ("reward", "a reward model has another output layer"), ("ppo", "Input should be 'sft', 'dpo', 'orpo' or 'kto'"),
])  # fmt: skip
def test_other_objective_is_refused_with_the_reason(objective, why):
    with pytest.raises(SpecError, match=f"method.objective: .*{re.escape(why)}"):
        compose(("--set", {"method": {"objective": objective}}))


def test_preferences_compare_answers_only():
    with pytest.raises(
        SpecError, match=r"loss_on = 'everything' is for method\.objective = 'sft'; dpo compares"
    ):
        compose(("--set", {"method": {"objective": "dpo"}, "data": {"loss_on": "everything"}}))


@pytest.mark.parametrize(("method", "training", "preset", "rate"), [
    ({"objective": "sft"}, {}, {}, 2e-4), ({"objective": "dpo"}, {}, {}, 1e-5),
    ({"objective": "kto", "name": "full"}, {}, {}, 1e-6), ({"objective": "dpo"}, {"learning_rate": 0.5}, {}, 0.5),
    ({"objective": "dpo"}, {}, spec.PRESETS["quick"], 1e-5), ({"objective": "sft"}, {}, spec.PRESETS["quick"], 5e-4),
])  # fmt: skip
def test_learning_rate_of_a_preference_is_lower_unless_you_set_it(method, training, preset, rate):
    layers = [("--preset quick", preset), ("--set", {"method": method, "training": training})]
    resolved_spec = spec.resolve_spec(compose(*layers), gpus=0)
    assert resolved_spec.spec.training.learning_rate == rate
    if rate in (1e-5, 1e-6):
        assert resolved_spec.origins["training.learning_rate"].startswith(
            f"{method['objective']}, instead of "
        )


@pytest.mark.parametrize(("layers", "length"), [
    ([("f", {"training": {"steps": 60}}), ("--set", {"training": {"epochs": 3.0}})], (3.0, None)),
    ([("f", {"training": {"epochs": 3.0}}), ("--set", {"training": {"steps": 60}})], (1.0, 60)),
    ([("f", {"training": {"steps": 60, "epochs": 3.0}})], (3.0, 60)),
    ([("--set", {"training": {"steps": 60}}), ("--set", {"training": {"epochs": 3.0}})], (3.0, 60)),
])  # fmt: skip
def test_the_later_layer_says_how_long_a_run_is(layers, length):
    base = ("base", {"model": {"base": "m"}, "data": {"train": "d"}})
    training = spec.compose_spec([base, *layers]).spec.training
    assert (training.epochs, training.steps) == length


def test_a_sweep_over_epochs_replaces_the_steps_of_a_preset():
    base = ("base", {"model": {"base": "m"}, "data": {"train": "d"}})
    quick = spec.compose_spec([base, ("--preset quick", spec.PRESETS["quick"])])
    long = spec.override_fields(quick, "--sweep", {"training.epochs": 2.0})
    assert (long.spec.training.epochs, long.spec.training.steps) == (2.0, None)
    assert long.origins["training.steps"] == "--sweep"
