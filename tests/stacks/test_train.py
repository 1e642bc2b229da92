"""Stacks with model code of their own train for real, agree with trl, and go on where they were stopped."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file
from stack_runs import agrees, events, goes_on

from finetune.stacks.shared import gate

pytestmark = pytest.mark.xdist_group("stacks")
LITGPT = pytest.param("litgpt", marks=pytest.mark.every_stack)


@pytest.mark.parametrize("name", ["torchtune", LITGPT])
def test_a_stack_does_the_same_work_as_trl(trained, name):
    run = trained(name)
    agrees(run, trained("trl"))
    assert json.loads((run / "gate.json").read_text())["error"] < 1e-5
    assert (run / "adapter" / "tokenizer.json").is_file()


@pytest.mark.parametrize("name", ["torchtune", LITGPT])
def test_two_processes_that_share_the_model_do_the_work_of_one(trained, name):
    run, alone = trained(name, processes=2), trained(name)
    agrees(run, alone)
    (spread,) = events(run, "spread")
    assert spread["processes"] == 2
    assert spread["parameters"] / 2 <= spread["parameters_here"] < spread["parameters"] * 0.51
    assert json.loads((run / "gate.json").read_text())["error"] < 1e-5
    ours, theirs = (load_file(one / "adapter" / "adapter_model.safetensors") for one in (run, alone))
    assert {key: tensor.shape for key, tensor in ours.items()} == {k: t.shape for k, t in theirs.items()}
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in ours) < 1e-3


@pytest.mark.every_stack
def test_axolotl_does_the_same_work_as_trl(trained):
    agrees(trained("axolotl"), trained("trl"))
    assert gate.check(trained("axolotl"))["error"] < 1e-5


def test_the_gate_hears_what_trl_said_itself(trained):
    run = trained("trl")
    told = gate.check(run)
    assert told["error"] < 1e-5
    assert told["effect"] > 1e-2


@pytest.mark.every_stack
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", ["torchtune", "litgpt"])
def test_a_stopped_run_goes_on_to_the_same_adapter(trained, name, processes, tmp_path):
    source = trained(name, processes)
    goes_on(name, source, tmp_path)
    whole, again = (load_file(run / "work" / "native.safetensors") for run in (source, tmp_path))
    assert whole.keys() == again.keys()
    assert max(float((whole[key] - again[key]).abs().max()) for key in whole) < 1e-5
