"""A training that ends at any event, and resumes, has the adapter of an undisturbed one, and no step more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from safetensors.torch import load_file
from stack_cases import RUNNERS, stack_python
from stack_runs import events

from finetune.process import launch
from finetune.spec import RunSpec
from finetune.stacks import Job, load_stack

RUNNER = {
    "trl": "trl_sft",
    "torchtune": "torchtune_lora",
    "litgpt": "litgpt_lora",
    "axolotl": "axolotl_train",
}
STACKS = [
    "trl", "torchtune", pytest.param("litgpt", marks=pytest.mark.every_stack),
    pytest.param("axolotl", marks=pytest.mark.every_stack),
]  # fmt: skip
# Under a constant schedule a step too many changes the adapter.
SETTINGS = {
    "method": {"name": "lora", "r": 4}, "data": {"train": "d", "max_length": 32}, "devices": {"kind": "cpu"},
    "logging": {"save_every_steps": 2},
    "training": {"schedule": "constant", "learning_rate": 0.01, "warmup": 0, "batch_size": 4, "epochs": 1.25,
                 "micro_batch_size": 2, "dtype": "float32", "gradient_checkpointing": False},
}  # fmt: skip
ROWS = 8  # 10 samples: two full steps and a smaller one
SAVED = {
    "torchtune": "native.safetensors",
    "litgpt": "native.safetensors",
    "axolotl": "adapter_model.safetensors",
}


@pytest.fixture(scope="module", params=STACKS)
def stack(request):
    """The stack's name, and a function that trains until an event and returns the exit code."""
    name = request.param
    python = sys.executable if name == "trl" else str(stack_python(name))
    spec = RunSpec.model_validate({**SETTINGS, "stack": name, "model": {"base": "b"}})
    script = Path(__file__).with_name("end_at_event.py")
    variables = {**os.environ, **load_stack(name).environment(spec)}
    command = [python, str(script), RUNNER[name], str(RUNNERS)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=variables) as process:

        def train(*request):
            process.stdin.write(json.dumps([*map(str, request[:2]), *request[2:]]) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield name, train


@pytest.fixture(scope="module")
def start(stack, tiny, tmp_path_factory):
    """Return a function that trains in a new folder, ends at an event, resumes to the end; it returns the folder."""
    name, train = stack
    spec = RunSpec.model_validate({**SETTINGS, "stack": name, "model": {"base": str(tiny)}})
    row = [{"input_ids": [5 + n, 6 + n, 7, 8], "labels": [-100, -100, 7 + n, 8]} for n in range(ROWS)]

    def start(number=0, how="kill"):
        run = tmp_path_factory.mktemp(f"{how}-{number}")
        for folder in ("data", "native", "work"):
            (run / folder).mkdir()
        tiny_model.write(run / "data" / "train.jsonl", row)
        tiny_model.write(run / "data" / "test.jsonl", [])
        for ending in ((number, how), (0, "")):
            checkpoint = launch.find_last_checkpoint(run / "work")
            job = Job(run, run / "data", str(tiny), None, steps=3, warmup_steps=0, rows=ROWS, test_rows=0,
                      resume_from=checkpoint)  # fmt: skip
            for file, text in load_stack(name).render(spec, job).files.items():
                (run / "native" / file).write_text(text)
            train(job.native / next(iter(load_stack(name).render(spec, job).files)), run, *ending)
            for file in ("stop", "stop-at"):
                (run / file).unlink(missing_ok=True)
            if launch.read_finished_training(run, lambda _: None):
                break
        return run

    return start


@pytest.fixture(scope="module")
def undisturbed(start):
    return start()


def read_adapter(name, run):
    folder = run / "work" if name in SAVED else run / "adapter"
    return load_file(folder / SAVED.get(name, "adapter_model.safetensors"))


def test_ends_at_every_event(stack, start, undisturbed):
    name, _ = stack
    whole = read_adapter(name, undisturbed)
    kinds = [event["event"] for _, event in launch.read_events(undisturbed)]
    assert kinds.count("step") == 3, (undisturbed / "log.txt").read_text()[-3000:]
    assert kinds[-1] == "finished"
    last_saved = len(kinds) - kinds[::-1].index("saved")
    cases = [(n, "kill") for n in range(1, len(kinds) + 1)]
    cases += [(n, how) for n in (last_saved - 1, last_saved) for how in ("crash", "stop")]
    for number, how in cases:
        run = start(number, how)
        place = f"{how} at event {number}, {kinds[number - 1]}: {run}"
        assert max(e["step"] for e in events(run, "step")) == 3, place
        (finished,) = events(run, "finished")
        assert finished["step"] == 3, place
        assert (finished["tokens"], finished["trained"]) == (40, 20), place
        adapter = read_adapter(name, run)
        assert adapter.keys() == whole.keys(), place
        assert max(float((adapter[key] - whole[key]).abs().max()) for key in whole) < 1e-6, place
