"""What the stacks' own models answer, and what they train: once for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from stack_cases import CASES, EXPORTED, RUNNERS, TAKE_APART, python_of, run_of
from stack_runs import EQUAL

from finetune.stacks.shared import peft_export
from finetune.weights import family

LITGPT = pytest.param("litgpt", marks=pytest.mark.every_stack)


@pytest.fixture(scope="session", params=["torchtune", LITGPT])
def answered(request, tmp_path_factory):
    """Stack's name and, by case, spec and run folder with what the stack's own model answered."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    runs = {case: run_of(name, case, folder) for case in CASES}
    script = Path(__file__).with_name("in_stack.py")
    done = subprocess.run(
        [str(python_of(name)), str(script), name, str(RUNNERS), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for spec, run in runs.values():
        peft_export.write(run, spec, family.of(name, spec), family.targets(name, spec), TAKE_APART[name])
    wrong = [official_of(run) for case, (_, run) in runs.items() if name == "torchtune" and case in EXPORTED]
    folders = [str(run) for run in [*(run for _, run in runs.values()), *wrong]]
    words = [sys.executable, "-W", "ignore", "-m", "finetune.stacks.shared.gate", *folders]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return name, runs


def official_of(run):
    """A copy of a run with torchtune's own export in place of ours."""
    copy = run.with_name(f"{run.name}-official")
    shutil.copytree(run, copy)
    shutil.copy2(copy / "official.safetensors", copy / "adapter" / "adapter_model.safetensors")
    return copy


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
