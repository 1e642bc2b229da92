"""Law 4: every stack follows, refuses or records each leaf of RunSpec; none drops a leaf in silence."""

from __future__ import annotations

import atexit
import dataclasses
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import tiny_model

from finetune import spec
from finetune.errors import UnsupportedField
from finetune.stacks import COMMON_FIELDS, STACKS, Job, load_stack


def model_folder(**changes):
    """Create a folder with only a config.json, which is all that a native config depends on."""
    folder = Path(tempfile.mkdtemp(prefix="advisor-contract-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "config.json").write_text(json.dumps(tiny_model.config(**changes)))
    return str(folder)


BASE = {"model": {"base": model_folder()}, "data": {"train": "d.jsonl"}, "devices": {"kind": "cuda"}}
BASE |= {"training": {"dtype": "bfloat16"}, "evaluation": {"every_steps": 5}}
# The settings in which each leaf changes, because a stack can treat processes and methods differently.
PLACES = {
    "one GPU, QLoRA": {},
    "one GPU, LoRA": {"method": {"name": "lora"}},
    "two GPUs, LoRA": {"method": {"name": "lora"}, "devices": {"processes": 2}},
    "two machines, LoRA": {"method": {"name": "lora"}, "devices": {"processes": 2, "nodes": 2}},
}
# Another value for every leaf.
CHANGES = {
    "model.base": model_folder(num_hidden_layers=3), "model.revision": "abc", "model.trust_remote_code": True,
    "data.max_length": 77, "data.packing": True,
    "method.name": "full", "method.r": 3, "method.alpha": 5, "method.dropout": 0.25,
    "method.objective": "dpo", "method.beta": 0.3, "method.targets": ["q_proj"], "method.rslora": True, "method.dora": True, "method.virtual_tokens": 7,
    "quantisation.type": "fp4", "quantisation.double": False,
    "training.dtype": "float16", "training.batch_size": 32, "training.micro_batch_size": 2,
    "training.epochs": 2.0, "training.steps": 9, "training.learning_rate": 0.5, "training.schedule": "linear",
    "training.warmup": 3.0, "training.weight_decay": 0.5, "training.max_grad_norm": 0.5,
    "training.gradient_checkpointing": False, "training.optimizer": "paged_adamw_8bit", "training.seed": 7,
    "training.own_speedups": True, "training.fused_optimizer": False, "training.attention": "eager",
    "training.liger_kernels": True,
    "evaluation.every_steps": 11, "logging.every_steps": 4, "logging.save_every_steps": 9,
    "logging.keep_checkpoints": 5, "logging.report_to": "wandb", "devices.kind": "cpu", "devices.processes": 4, "devices.nodes": 4,
    "devices.strategy": "fsdp",
}  # fmt: skip
# The other settings that a leaf needs to have an effect.
REQUIRED_SETTINGS = {
    "method.virtual_tokens": {"method": {"name": "prompt-tuning"}},
    "method.beta": {"method": {"objective": "dpo"}},
    "quantisation.type": {"method": {"name": "qlora"}},
    "quantisation.double": {"method": {"name": "qlora"}},
    "devices.strategy": {"devices": {"processes": 2}},
    "devices.kind": {"method": {"name": "lora"}},  # else the method changes too and hides it
}
# Replacements for a stack that refuses a part of the base case, which is QLoRA on a GPU.
REPLACEMENTS = {"method.name": "lora", "training.gradient_checkpointing": False}


def choices(leaf):
    """Return all values of a leaf if the spec lists them."""
    section, _, name = leaf.partition(".")
    kind = spec.RunSpec.model_fields[section].annotation.model_fields[name].annotation
    return [
        value for part in (kind, *get_args(kind)) if get_origin(part) is Literal for value in get_args(part)
    ]


DEFAULT = dict(
    spec.iterate_leaves(spec.resolve_spec(spec.compose_spec([("f", BASE)]), gpus=8).spec.model_dump())
)
VALUES = [(leaf, value) for leaf, value in sorted(CHANGES.items())]
VALUES += [
    (leaf, value)
    for leaf in sorted(CHANGES)
    for value in choices(leaf)
    if value not in (DEFAULT[leaf], CHANGES[leaf])
]


def value_id(part):
    """Return a name for the test; the folder of a model has another name in every process."""
    return "another-model" if part == CHANGES["model.base"] else str(part)


LEAVES = sorted(name for name, _ in spec.iterate_leaves(spec.compose_spec([("f", BASE)]).spec.model_dump()))


def build_job(run_spec, folder="RUN"):
    return Job(
        folder=Path(folder), data=Path(folder) / "data", base=run_spec.model.base, template=None,
        steps=run_spec.count_steps(100), warmup_steps=run_spec.count_warmup_steps(100), rows=100, test_rows=10,
    )  # fmt: skip


def render_spec(name, *layers):
    run_spec = spec.resolve_spec(spec.compose_spec([("f", BASE), *layers]), gpus=8).spec
    answer = load_stack(name).render(run_spec, build_job(run_spec))
    command = load_stack(name).command(Path("python"), run_spec, build_job(run_spec))
    return answer.files, answer.deviations, command, load_stack(name).environment(run_spec)


@cache
def own_settings(name):
    """Return leaf → value where the stack needs another base case."""
    replacements = {}
    while True:
        try:
            render_spec(name, ("own", spec.nest_leaves(replacements)))
        except UnsupportedField as refusal:
            assert refusal.field not in replacements, refusal
            replacements[refusal.field] = REPLACEMENTS[refusal.field]
        else:
            return replacements


def change_leaf(name, leaf, value, *layers):
    """Return the layer that sets a leaf to a value, or to its default if it has that value already."""
    values = own_settings(name) | {f: v for _, layer in layers for f, v in spec.iterate_leaves(layer)}
    return "change", spec.nest_leaves({leaf: DEFAULT[leaf] if values.get(leaf) == value else value})


def render_stack(name, *layers):
    return render_spec(name, ("own", spec.nest_leaves(own_settings(name))), *layers)


def test_every_leaf_belongs_to_the_stacks_or_to_us():
    assert STACKS
    assert set(CHANGES) | set(COMMON_FIELDS) == set(LEAVES)
    assert not set(CHANGES) & set(COMMON_FIELDS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize(("leaf", "value"), VALUES, ids=value_id)
def test_changed_leaf_changes_the_config_or_is_refused(name, leaf, value, place):
    layers = [("place", PLACES[place]), ("beside", REQUIRED_SETTINGS.get(leaf, {}))]
    try:
        before = render_stack(name, *layers)
        after = render_stack(name, *layers, change_leaf(name, leaf, value, *layers))
    except UnsupportedField as refusal:
        beside = {field for _, layer in layers for field, _ in spec.iterate_leaves(layer)}
        assert refusal.field in {leaf, *beside}
        return
    assert after != before, f"{name} drops {leaf} in silence"


@pytest.mark.parametrize("leaf", ["devices.processes", "devices.nodes"])
@pytest.mark.parametrize("name", ["trl", "torchtune", "litgpt", "axolotl", "unsloth"])
def test_stacks_run_lora_on_several_gpus(name, leaf):
    """The test above also accepts a refusal, so this one checks the five stacks; a new stack may refuse."""
    place = PLACES["two GPUs, LoRA"]
    alone = render_stack(name, ("place", {"method": {"name": "lora"}}))
    _, _, words, _ = render_stack(name, ("place", place), ("more", spec.nest_leaves({leaf: 4})))
    command_line = " ".join(words)
    assert "torch.distributed.run" in command_line and "torch.distributed.run" not in " ".join(alone[2])
    assert ("--nproc-per-node 4" if leaf == "devices.processes" else "--nnodes 4") in command_line


@pytest.mark.parametrize("name", STACKS)
def test_stacks_start_without_telemetry_and_network(name):
    variables = load_stack(name).environment(spec.resolve_spec(spec.compose_spec([("f", BASE)]), gpus=8).spec)
    off = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    own = {"axolotl": {"AXOLOTL_DO_NOT_TRACK": "1"}, "unsloth": {"UNSLOTH_DISABLE_STATISTICS": "1"}}
    assert {**off, **own.get(name, {})}.items() <= variables.items()


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("leaf", sorted(COMMON_FIELDS))
def test_our_leaves_do_not_change_the_native_config(name, leaf):
    run_spec = spec.compose_spec([("f", BASE)]).spec
    values = dict(spec.iterate_leaves(run_spec.model_dump()))
    other = {"stack": "trl", "data.evaluation_share": 0.3, "data.format": "chat", "data.template": "chatml",
             "data.too_long": "drop", "data.loss_on": "everything", "data.misfits": "skip", "evaluation.rows": 3,
             "data.ignored_columns": ("note",),
             "evaluation.generations": 1, "evaluation.max_new_tokens": 5,
             "evaluation.metrics": ["exact-match"]}.get(leaf, "x")  # fmt: skip
    assert leaf in values
    assert render_stack(name, ("change", spec.nest_leaves({leaf: other})))[0] == render_stack(name)[0]


@pytest.mark.parametrize("leaf", [n for n in sorted(COMMON_FIELDS) if n.startswith("data.")])
def test_data_leaves_change_the_hash_of_the_inputs(leaf, tmp_path):
    from finetune.data import dataset

    class Tokenizer:
        chat_template = "t"
        special_tokens_map = {}  # noqa: RUF012 - as transformers' tokenizers have it
        backend_tokenizer = type("B", (), {"to_str": staticmethod(lambda: "b")})

    files = {n: tmp_path / f"{n}.jsonl" for n in "ab"}
    for n, file in files.items():
        file.write_text(n)
    other = {"data.train": str(files["b"]), "data.evaluation": str(files["b"]), "data.evaluation_share": 0.3,
             "data.format": "chat", "data.too_long": "drop", "data.loss_on": "everything",
             "data.misfits": "skip", "data.ignored_columns": ("note",)}  # fmt: skip
    composed_spec = spec.compose_spec([("f", BASE), ("d", {"data": {"train": str(files["a"])}})])
    before = dataset.hash_inputs(composed_spec.spec, Tokenizer)
    if leaf == "data.template":  # the tokenizer contains the template
        other_tokenizer = type("T", (Tokenizer,), {"chat_template": "other"})
        assert dataset.hash_inputs(composed_spec.spec, other_tokenizer) != before
        return
    assert (
        dataset.hash_inputs(spec.override_fields(composed_spec, "c", {leaf: other[leaf]}).spec, Tokenizer)
        != before
    )


def test_trl_accepts_every_rendered_key(tmp_path):
    """Every key of the config is an option of trl: none is misspelt or out of date."""
    from trl import ModelConfig, ScriptArguments, SFTConfig

    options = {f.name for kind in (ModelConfig, ScriptArguments, SFTConfig) for f in dataclasses.fields(kind)}
    for layer in ({}, {"method": {"name": "qlora"}}, {"data": {"packing": True}}):
        files, *_ = render_stack("trl", ("x", layer))
        keys = {line.partition(":")[0] for line in files["sft.yaml"].splitlines()}
        assert keys <= options, keys - options
