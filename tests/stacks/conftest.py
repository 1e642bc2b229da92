"""The logits of the stacks' own models, and their trained runs: computed once for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from stack_cases import (
    CASES,
    EXPORT_CASES,
    QLORA_CASES,
    READ_PAIRS,
    RUNNERS,
    create_run,
    stack_python,
)
from stack_runs import EQUAL

from finetune import record
from finetune.stacks.shared import peft_export
from finetune.weights import family

LITGPT = pytest.param("litgpt", marks=pytest.mark.every_stack)


@pytest.fixture(scope="module", autouse=True)
def forks(server):
    """Starts the programs of a training without another import of torch."""
    with server.start_programs():
        yield


@pytest.fixture(scope="session", params=["torchtune", LITGPT])
def probes(request, server, tmp_path_factory):
    """Return the stack's name and, by case, spec and run folder with the logits of the stack's own model."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    runs = {case: create_run(name, case, folder) for case in CASES}
    runs |= {f"{case}-qlora": create_run(name, case, folder, "qlora") for case in QLORA_CASES}
    script = Path(__file__).with_name("in_stack.py")
    process = subprocess.run(
        [str(stack_python(name)), str(script), name, str(RUNNERS), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    for spec, run in runs.values():
        peft_export.write_adapter(
            run, spec, family.read_family(name, spec), family.resolve_targets(name, spec), READ_PAIRS[name]
        )
    official_runs = [
        copy_with_official_export(run)
        for case, (_, run) in runs.items()
        if name == "torchtune" and case in EXPORT_CASES
    ]
    other_runs = [*official_runs, copy_with_sixteen_bits(runs[f"{QLORA_CASES[0]}-qlora"][1])]
    folders = [str(run) for run in [*(run for _, run in runs.values()), *other_runs]]
    command = [sys.executable, "-m", "finetune.stacks.shared.equivalence", *folders]
    variables = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with server.start_programs():
        process = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert process.returncode == 0, process.stdout + process.stderr
    return name, runs


def copy_with_official_export(run):
    """Copy a run, with torchtune's own export instead of ours."""
    copy = run.with_name(f"{run.name}-official")
    shutil.copytree(run, copy)
    shutil.copy2(copy / "official.safetensors", copy / "adapter" / "adapter_model.safetensors")
    return copy


def copy_with_sixteen_bits(run):
    """Copy a QLoRA run so that it is compared on the base model before its quantisation."""
    copy = run.with_name(f"{run.name}-sixteen-bits")
    shutil.copytree(run, copy)
    run_record = record.read_record(copy)
    method = {**run_record.spec["method"], "name": "lora"}
    record.update_record(copy, run_record, spec={**run_record.spec, "method": method})
    return copy


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Return the folder of a random two-layer Llama, tied and with grouped queries."""
    return tiny_model.model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def train(server, tiny, tmp_path_factory):
    """Return a function that trains with a stack on the command line, once, and returns the run's folder."""
    folder = tmp_path_factory.mktemp("trained")
    data = tiny_model.write(folder / "sums.jsonl", tiny_model.sums(118))
    runs = set()

    def run_training(name, processes=1):
        run = folder / f"{name}-{processes}"
        if run not in runs:
            if name != "trl":
                stack_python(name)
            settings = {**EQUAL, "devices.processes": processes}
            options = [x for key, value in settings.items() for x in ("--set", f"{key}={value}")]
            with server.start_programs():
                process = subprocess.run(
                    [sys.executable, "-m", "advisor", "train", "--data", str(data), "--model", str(tiny),
                     "--stack", name, "-o", str(run), *options],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
            assert process.returncode == 0, (
                process.stdout + process.stderr + (run / "log.txt").read_text()[-3000:]
            )
            runs.add(run)
        return run

    return run_training
