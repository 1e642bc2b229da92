"""Law 4: every leaf of RunSpec is honoured, refused or recorded, by every stack; nothing is dropped."""

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
from finetune.stacks import OURS, STACKS, Job, stack


def model_folder(**changes):
    """A folder with nothing but a config.json: all that a native config depends on."""
    folder = Path(tempfile.mkdtemp(prefix="advisor-contract-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "config.json").write_text(json.dumps(tiny_model.config(**changes)))
    return str(folder)


BASE = {"model": {"base": model_folder()}, "data": {"train": "d.jsonl"}, "devices": {"kind": "cuda"}}
BASE |= {"training": {"dtype": "bfloat16"}, "evaluation": {"every_steps": 5}}
# Where a leaf is changed: what holds for one process need not for several, nor with QLoRA for LoRA.
PLACES = {
    "one GPU, QLoRA": {},
    "one GPU, LoRA": {"method": {"name": "lora"}},
    "two GPUs, LoRA": {"method": {"name": "lora"}, "devices": {"processes": 2}},
    "two machines, LoRA": {"method": {"name": "lora"}, "devices": {"processes": 2, "nodes": 2}},
}
# Another value for every leaf, and what must be set beside it for it to matter.
CHANGES = {
    "model.base": model_folder(num_hidden_layers=3), "model.revision": "abc", "model.trust_remote_code": True,
    "data.max_length": 77, "data.packing": True,
    "method.name": "full", "method.r": 3, "method.alpha": 5, "method.dropout": 0.25,
    "method.targets": ["q_proj"], "method.rslora": True, "method.dora": True, "method.virtual_tokens": 7,
    "quantisation.type": "fp4", "quantisation.double": False,
    "training.dtype": "float16", "training.batch_size": 32, "training.micro_batch_size": 2,
    "training.epochs": 2.0, "training.steps": 9, "training.learning_rate": 0.5, "training.schedule": "linear",
    "training.warmup": 3.0, "training.weight_decay": 0.5, "training.max_grad_norm": 0.5,
    "training.gradient_checkpointing": False, "training.optimizer": "paged_adamw_8bit", "training.seed": 7,
    "training.own_speedups": True,
    "evaluation.every_steps": 11, "logging.every_steps": 4, "logging.save_every_steps": 9,
    "logging.keep_checkpoints": 5, "devices.kind": "cpu", "devices.processes": 4, "devices.nodes": 4,
    "devices.strategy": "fsdp",
}  # fmt: skip
BESIDE = {
    "method.virtual_tokens": {"method": {"name": "prompt-tuning"}},
    "quantisation.type": {"method": {"name": "qlora"}},
    "quantisation.double": {"method": {"name": "qlora"}},
    "devices.strategy": {"devices": {"processes": 2}},
    "devices.kind": {"method": {"name": "lora"}},  # else the method changes with it, and hides it
}
# What the base case, QLoRA on a GPU, becomes for a stack that refuses a part of it.
YIELDS = {"method.name": "lora", "training.gradient_checkpointing": False}


def choices(leaf):
    """All that a leaf can be, where the spec lists it."""
    section, _, name = leaf.partition(".")
    kind = spec.RunSpec.model_fields[section].annotation.model_fields[name].annotation
    return [one for some in (kind, *get_args(kind)) if get_origin(some) is Literal for one in get_args(some)]


DEFAULT = dict(spec.leaves(spec.resolve(spec.compose([("f", BASE)]), gpus=1).spec.model_dump()))
VALUES = [(leaf, value) for leaf, value in sorted(CHANGES.items())]
VALUES += [
    (leaf, one)
    for leaf in sorted(CHANGES)
    for one in choices(leaf)
    if one not in (DEFAULT[leaf], CHANGES[leaf])
]


def named(part):
    """A folder made for this run has another name in every process, and a test has one."""
    return "another-model" if part == CHANGES["model.base"] else str(part)


LEAVES = sorted(name for name, _ in spec.leaves(spec.compose([("f", BASE)]).spec.model_dump()))


def job(made, folder="RUN"):
    return Job(
        folder=Path(folder), data=Path(folder) / "data", base=made.model.base, template=None,
        steps=made.steps(100), warmup_steps=made.warmup_steps(100), rows=100, test_rows=10,
    )  # fmt: skip


def asked(name, *layers):
    made = spec.resolve(spec.compose([("f", BASE), *layers]), gpus=1).spec
    answer = stack(name).render(made, job(made))
    command = stack(name).command(Path("python"), made, job(made))
    return answer.files, answer.deviations, command, stack(name).environment(made)


@cache
def own(name):
    """Leaf → value where the stack's base case is another."""
    found = {}
    while True:
        try:
            asked(name, ("own", spec.nest(found)))
        except UnsupportedField as refused:
            assert refused.field not in found, refused
            found[refused.field] = YIELDS[refused.field]
        else:
            return found


def changed(name, leaf, value, *layers):
    """The layer that gives a leaf a value, or the common one where it has that value already."""
    has = own(name) | {field: one for _, layer in layers for field, one in spec.leaves(layer)}
    return "change", spec.nest({leaf: DEFAULT[leaf] if has.get(leaf) == value else value})


def rendered(name, *layers):
    return asked(name, ("own", spec.nest(own(name))), *layers)


def test_there_are_stacks_and_every_leaf_has_an_owner():
    assert STACKS
    assert set(CHANGES) | set(OURS) == set(LEAVES)
    assert not set(CHANGES) & set(OURS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize(("leaf", "value"), VALUES, ids=named)
def test_a_changed_leaf_is_seen_or_refused(name, leaf, value, place):
    layers = [("place", PLACES[place]), ("beside", BESIDE.get(leaf, {}))]
    try:
        before = rendered(name, *layers)
        after = rendered(name, *layers, changed(name, leaf, value, *layers))
    except UnsupportedField as refused:
        beside = {field for _, layer in layers for field, _ in spec.leaves(layer)}
        assert refused.field in {leaf, *beside}
        return
    assert after != before, f"{name} drops {leaf} in silence"


@pytest.mark.parametrize("leaf", ["devices.processes", "devices.nodes"])
@pytest.mark.parametrize("name", ["trl", "torchtune", "litgpt", "axolotl", "unsloth"])
def test_these_stacks_spread_lora_over_gpus(name, leaf):
    """That they can is not left to the test above, which a refusal satisfies too; a new stack may refuse."""
    place = PLACES["two GPUs, LoRA"]
    alone = rendered(name, ("place", {"method": {"name": "lora"}}))
    _, _, words, _ = rendered(name, ("place", place), ("more", spec.nest({leaf: 4})))
    told = " ".join(words)
    assert "torch.distributed.run" in told and "torch.distributed.run" not in " ".join(alone[2])
    assert ("--nproc-per-node 4" if leaf == "devices.processes" else "--nnodes 4") in told


@pytest.mark.parametrize("name", STACKS)
def test_no_stack_is_started_with_telemetry_or_a_network(name):
    variables = stack(name).environment(spec.resolve(spec.compose([("f", BASE)]), gpus=1).spec)
    off = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    own = {"axolotl": {"AXOLOTL_DO_NOT_TRACK": "1"}, "unsloth": {"UNSLOTH_DISABLE_STATISTICS": "1"}}
    assert {**off, **own.get(name, {})}.items() <= variables.items()


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("leaf", sorted(OURS))
def test_leaves_of_our_half_do_not_reach_the_native_config(name, leaf):
    made = spec.compose([("f", BASE)]).spec
    values = dict(spec.leaves(made.model_dump()))
    other = {"stack": "trl", "data.evaluation_share": 0.3, "data.format": "chat", "data.template": "chatml",
             "data.too_long": "drop", "data.loss_on": "everything", "data.misfits": "skip", "evaluation.rows": 3,
             "evaluation.generations": 1, "evaluation.max_new_tokens": 5}.get(leaf, "x")  # fmt: skip
    assert leaf in values
    assert rendered(name, ("change", spec.nest({leaf: other})))[0] == rendered(name)[0]


@pytest.mark.parametrize("leaf", [n for n in sorted(OURS) if n.startswith("data.")])
def test_data_leaves_change_the_tokens_key(leaf, tmp_path):
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
             "data.misfits": "skip"}  # fmt: skip
    made = spec.compose([("f", BASE), ("d", {"data": {"train": str(files["a"])}})])
    before = dataset.key(made.spec, Tokenizer)
    if leaf == "data.template":  # the template is part of the tokenizer by then
        changed = type("T", (Tokenizer,), {"chat_template": "other"})
        assert dataset.key(made.spec, changed) != before
        return
    assert dataset.key(spec.override(made, "c", {leaf: other[leaf]}).spec, Tokenizer) != before


def test_trl_knows_every_key_that_we_render(tmp_path):
    """trl's own parser takes the whole config: no key is misspelt or out of date."""
    from trl import ModelConfig, ScriptArguments, SFTConfig

    known = {f.name for kind in (ModelConfig, ScriptArguments, SFTConfig) for f in dataclasses.fields(kind)}
    for layer in ({}, {"method": {"name": "qlora"}}, {"data": {"packing": True}}):
        files, *_ = rendered("trl", ("x", layer))
        keys = {line.partition(":")[0] for line in files["sft.yaml"].splitlines()}
        assert keys <= known, keys - known
