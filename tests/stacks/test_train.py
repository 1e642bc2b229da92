"""Stacks with their own model code train, agree with trl, and resume after a stop."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file
from stack_runs import assert_same_work, events, stop_and_resume

from finetune.stacks.shared import equivalence

LITGPT = pytest.param("litgpt", marks=pytest.mark.every_stack)


@pytest.mark.parametrize("name", ["torchtune", LITGPT])
def test_stack_does_the_same_work_as_trl(train, name):
    run = train(name)
    assert_same_work(run, train("trl"))
    assert json.loads((run / "gate.json").read_text())["error"] < 1e-5
    assert (run / "adapter" / "tokenizer.json").is_file()


@pytest.mark.parametrize("name", ["torchtune", LITGPT])
def test_two_processes_do_the_same_work_as_one(train, name):
    run, single = train(name, processes=2), train(name)
    assert_same_work(run, single)
    (spread,) = events(run, "spread")
    assert spread["processes"] == 2
    assert spread["parameters"] / 2 <= spread["parameters_here"] < spread["parameters"] * 0.51
    assert json.loads((run / "gate.json").read_text())["error"] < 1e-5
    ours, theirs = (load_file(one / "adapter" / "adapter_model.safetensors") for one in (run, single))
    assert {key: tensor.shape for key, tensor in ours.items()} == {k: t.shape for k, t in theirs.items()}
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in ours) < 1e-3


@pytest.mark.every_stack
def test_axolotl_does_the_same_work_as_trl(train):
    assert_same_work(train("axolotl"), train("trl"))
    assert equivalence.check_logits(train("axolotl"))["error"] < 1e-5


def test_logits_of_trl_pass_the_equivalence_check(train):
    run = train("trl")
    result = equivalence.check_logits(run)
    assert result["error"] < 1e-5
    assert result["effect"] > 1e-2


@pytest.mark.every_stack
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", ["torchtune", "litgpt"])
def test_resumed_run_ends_with_the_same_adapter(train, name, processes, tmp_path):
    source = train(name, processes)
    stop_and_resume(name, source, tmp_path)
    first, second = (load_file(run / "work" / "native.safetensors") for run in (source, tmp_path))
    assert first.keys() == second.keys()
    assert max(float((first[key] - second[key]).abs().max()) for key in first) < 1e-5
