"""Nine machines by five stacks: a native config each or a refusal with its reason, and what fits."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from finetune.machine import memory
from finetune.stacks import STACKS

FILE = Path(__file__).resolve().parents[2] / "scripts" / "gpu_page.py"


@pytest.fixture(scope="module")
def page():
    module_spec = importlib.util.spec_from_file_location("gpu_page", FILE)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tasks(page):
    return {
        machine: {task.stack: task for task in page.plan_machine(machine)[1]} for machine in page.MACHINES
    }


def test_every_machine_has_five_configs_or_refusals_with_a_reason(tasks):
    assert list(tasks) == [
        "T4", "RTX 4060, 8 GB", "RTX 3090", "RTX 4090", "2 x RTX 4090", "A100", "H100", "8 x H100", "GB10",
    ]  # fmt: skip
    refusals = {}
    for machine, by_stack in tasks.items():
        assert set(by_stack) == set(STACKS)
        for stack, task in by_stack.items():
            if task.config is None:
                refusals[machine, stack] = task.refusal
                continue
            for name, text in task.config.files.items():
                assert yaml.safe_load(text), (machine, stack, name)
            assert task.command
            assert task.peak_bytes > 5 * 2**30, "the weights alone are 5.3 GiB"
    assert set(refusals) == {("2 x RTX 4090", "litgpt"), ("8 x H100", "litgpt")}
    assert all("it quantises in a single process only" in reason for reason in refusals.values())


def test_configs_have_the_type_and_the_processes_of_the_machine(tasks):
    def read(machine, stack, file):
        return yaml.safe_load(tasks[machine][stack].config.files[file])

    assert read("T4", "trl", "sft.yaml")["fp16"] is True
    assert read("H100", "trl", "sft.yaml")["bf16"] is True
    assert read("T4", "torchtune", "lora_finetune_single_device.yaml")["dtype"] == "fp32"
    assert read("8 x H100", "torchtune", "lora_finetune_distributed.yaml")["dtype"] == "bf16"
    assert read("T4", "unsloth", "unsloth.yaml")["sft"]["fp16"] is True
    for machine, processes in (("2 x RTX 4090", 2), ("8 x H100", 8)):
        for stack in ("trl", "torchtune", "axolotl", "unsloth"):
            words = tasks[machine][stack].command
            assert any(word == f"--nproc-per-node={processes}" or word == str(processes) for word in words), (
                words
            )


def test_every_failure_on_gpus_has_tests_that_exist():
    page = FILE.parents[1] / "docs" / "explanation" / "checks.md"
    _, _, section = page.read_text("utf-8").partition("\n## GPU paths\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if "](../../tests/" in line]
    assert len(rows) >= 16
    for row in rows:
        for name, file in re.findall(r"\[`(test_\w+)`\]\((\S+?)\)", row):
            text = (page.parent / file).read_text("utf-8")
            assert f"\ndef {name}(" in text, (name, file)


def test_what_fits_is_what_the_prediction_says(tasks):
    """With all logits, an 8B model needs a large card; litgpt saves every layer."""
    fitting = {machine: {name for name, task in row.items() if task.config and task.fits}
               for machine, row in tasks.items()}  # fmt: skip
    assert fitting["RTX 4060, 8 GB"] == set()
    assert fitting["RTX 4090"] == {"trl", "torchtune", "unsloth"}
    assert fitting["H100"] == {"trl", "torchtune", "unsloth", "axolotl"}
    for row in tasks.values():
        for task in row.values():
            if task.config and not task.fits:
                assert task.peak_bytes > memory.SAFE_SHARE * task.room_bytes
                assert "training.gradient_checkpointing" not in task.change, "it is on, or the stack has none"
    assert tasks["RTX 4060, 8 GB"]["trl"].change, "a shorter row fits into 8 GB"
