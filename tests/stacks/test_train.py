"""Stacks with model code of their own train for real, agree with trl, and go on where they were stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model
from safetensors.torch import load_file
from stack_cases import python_of

from finetune import gate, record
from finetune.spec import RunSpec
from finetune.stacks import Job, stack

pytestmark = pytest.mark.xdist_group("stacks")
LITGPT = pytest.param("litgpt", marks=pytest.mark.every_stack)

# Rank 8, where the stacks ended 0.023 and 0.026 apart while each drew an adapter of its own; four
# micro-batches of unequal numbers of tokens a step, two of them on each of two processes.
EQUAL = {
    "method.r": 8, "method.alpha": 32, "training.learning_rate": 0.004, "training.batch_size": 12,
    "training.micro_batch_size": 3, "training.steps": 12, "training.warmup": 2, "data.max_length": 64,
    "evaluation.generations": 0,
}  # fmt: skip


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a random two-layer Llama, tied and with grouped queries."""
    return tiny_model.model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def trained(tiny, tmp_path_factory):
    """Train with a stack through the command line, once; the run's folder."""
    folder = tmp_path_factory.mktemp("trained")
    data = tiny_model.write(folder / "sums.jsonl", tiny_model.sums())
    done = set()

    def train(name, processes=1):
        run = folder / f"{name}-{processes}"
        if run not in done:
            if name != "trl":
                python_of(name)
            asked = {**EQUAL, "devices.processes": processes}
            words = [x for key, value in asked.items() for x in ("--set", f"{key}={value}")]
            ran = subprocess.run(
                [sys.executable, "-m", "advisor", "train", "--data", str(data), "--model", str(tiny),
                 "--stack", name, "-o", str(run), *words],
                capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout + ran.stderr + (run / "log.txt").read_text()[-3000:]
            done.add(run)
        return run

    return train


def events(run, kind):
    lines = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return [event for event in lines if event["event"] == kind]


def agrees(run, reference):
    """The same rows in the same steps, the same adapter to begin with, and the same result up to rounding."""
    for one in (run, reference):
        assert record.load(one).state == "finished"
    ours, theirs = events(run, "step"), events(reference, "step")
    assert [e["step"] for e in ours] == list(range(1, 13))
    for figure in ("loss", "grad_norm"):  # of the gradient, since B is 0 and A must be the same
        assert [e[figure] for e in ours] == pytest.approx([e[figure] for e in theirs], abs=2e-3)
    for count in ("tokens", "trained"):
        assert [e[count] for e in ours] == [e[count] for e in theirs]
    assert 0 < theirs[-1]["trained"] < theirs[-1]["tokens"]
    assert events(run, "loaded")[0]["trainable"] == events(reference, "loaded")[0]["trainable"]
    held, other = (record.load(one).losses["held_out"] for one in (run, reference))
    assert held["base"] == pytest.approx(other["base"], abs=1e-5)
    assert held["adapter"] < held["base"] - 0.05
    # 0.02 is what was promised; from one adapter, in one order and with losses weighed alike they end
    # within rounding, so that a stack that drifts is noticed.
    assert abs(held["adapter"] - other["adapter"]) <= 0.001


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
def test_a_stopped_run_goes_on_to_the_same_adapter(trained, tiny, name, processes, tmp_path):
    source = trained(name, processes)
    spec = RunSpec.model_validate({**record.load(source).spec, "evaluation": {"every_steps": 4}})
    run = tmp_path / "run"
    job = Job(folder=run, data=source / "data", base=str(tiny), template=None, steps=12, warmup_steps=2,
              rows=108, test_rows=12)  # fmt: skip
    for folder in (run, job.native, job.work):
        folder.mkdir()
    (run / "data").symlink_to(source / "data")

    def start(job):
        for file, text in stack(name).render(spec, job).files.items():
            (job.native / file).write_text(text)
        words = stack(name).command(python_of(name), spec, job)
        done = subprocess.run(
            words, capture_output=True, text=True, check=False,
            env={**os.environ, **stack(name).environment(spec), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    last = 1 if processes == 1 else 3  # of several, the first decides two steps ahead
    (run / "stop").touch()
    start(job)
    assert [e["step"] for e in events(run, "step")] == list(range(1, last + 1))
    stopped = job.work / f"checkpoint-{last}"
    assert (stopped / "complete").is_file()
    for left in ("stop", "stop-at"):
        (run / left).unlink()
    start(replace(job, resume_from=stopped))
    assert [e["step"] for e in events(run, "step")] == list(range(1, 13))
    assert [e["step"] for e in events(run, "validated")] == [4, 8, 12]
    whole = load_file(Path(source) / "work" / "native.safetensors")
    again = load_file(job.work / "native.safetensors")
    assert whole.keys() == again.keys()
    assert max(float((whole[key] - again[key]).abs().max()) for key in whole) < 1e-5
