"""What the stacks' own models answer, asked once for all tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stack_cases import CASES, EXPORTED, RUNNERS, TAKE_APART, python_of, run_of

from finetune import convert, family

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
        convert.write(run, spec, family.of(name, spec), family.targets(name, spec), TAKE_APART[name])
    wrong = [official_of(run) for case, (_, run) in runs.items() if name == "torchtune" and case in EXPORTED]
    folders = [str(run) for run in [*(run for _, run in runs.values()), *wrong]]
    words = [sys.executable, "-W", "ignore", "-m", "finetune.gate", *folders]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return name, runs


def official_of(run):
    """A copy of a run with torchtune's own export in place of ours."""
    copy = run.with_name(f"{run.name}-official")
    shutil.copytree(run, copy)
    shutil.copy2(copy / "official.safetensors", copy / "adapter" / "adapter_model.safetensors")
    return copy
