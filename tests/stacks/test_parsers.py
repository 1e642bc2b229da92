"""Every stack's own parser reads its native config, in its own environment, as on a machine with eight GPUs."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import product
from pathlib import Path

import pytest
from stack_cases import RUNNERS, stack_python

from finetune.errors import UnsupportedField
from finetune.spec import compose_spec, nest_leaves, resolve_spec
from finetune.stacks import STACKS, Job, load_stack

HERE = ("trl", "torchtune")  # the environments that `make test` has; `make test-stacks` builds the others
CASES = tuple(product(("lora", "qlora", "full"), ("float16", "bfloat16"), (1, 8)))
# What a stack refuses of these cases: the field, and when.
REFUSALS = {
    "method.name": lambda stack, method, dtype, gpus: stack != "trl" and method == "full",
    "training.dtype": lambda stack, method, dtype, gpus: (
        stack in ("torchtune", "litgpt") and method != "full" and dtype == "float16"
    ),
    "devices.processes": lambda stack, method, dtype, gpus: (
        stack in ("torchtune", "litgpt") and (method, dtype, gpus) == ("qlora", "bfloat16", 8)
    ),
}
OPTIONS = {
    "default": {}, "packed": {"data.packing": True}, "eager": {"training.attention": "eager"},
    "flash": {"training.attention": "flash"}, "liger": {"training.liger_kernels": True},
    "not fused": {"training.fused_optimizer": False}, "paged": {"training.optimizer": "paged_adamw_8bit"},
    "validated": {"evaluation.every_steps": 5}, "speedups": {"training.own_speedups": True},
}  # fmt: skip


def render_case(name, base, run, fields):
    """Write the native config of a run, or return the field that the stack refuses."""
    values = {
        "stack": name, "model.base": str(base), "data.train": "d", "devices.kind": "cuda",
        "training.micro_batch_size": 2, "training.batch_size": 32, "training.learning_rate": 0.003,
        "training.gradient_checkpointing": name != "litgpt", "method.r": 4, **fields,
    }  # fmt: skip
    spec = resolve_spec(compose_spec([("f", nest_leaves(values))]), gpus=8).spec
    job = Job(run, run / "data", str(base), None, steps=10, warmup_steps=2, rows=100, test_rows=9)
    try:
        files = load_stack(name).render(spec, job).files
    except UnsupportedField as refusal:
        return refusal.field
    for folder in (job.native, job.work):
        folder.mkdir(parents=True)
    for split in ("train", "test"):  # axolotl's parser looks for the files
        (job.work / f"{split}.jsonl").write_text('{"input_ids": [1], "labels": [1], "attention_mask": [1]}\n')
    for file, text in files.items():
        (job.native / file).write_text(text)
    return None


@pytest.fixture(scope="module", params=[
    name if name in HERE else pytest.param(name, marks=pytest.mark.every_stack) for name in STACKS
])  # fmt: skip
def answers(request, tiny, tmp_path_factory):
    """Return the stack's name, case → refused field, and case → what its parser understood."""
    name = request.param
    folder = tmp_path_factory.mktemp(f"parsed-{name}")
    cases = {
        "-".join(map(str, case)): {
            "method.name": case[0],
            "training.dtype": case[1],
            "devices.processes": case[2],
        }
        for case in CASES
    }
    lora = cases["lora-bfloat16-1"]
    cases |= {option: {**lora, **fields} for option, fields in OPTIONS.items()}
    refusals = {case: render_case(name, tiny, folder / case, fields) for case, fields in cases.items()}
    runs = [str(folder / case) for case, field in refusals.items() if field is None]
    script = Path(__file__).with_name("read_configs.py")
    process = subprocess.run(
        [str(stack_python(name)), str(script), name, str(RUNNERS), *runs],
        capture_output=True, text=True, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "AXOLOTL_DO_NOT_TRACK": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return name, refusals, json.loads(process.stdout.rpartition("RESULTS ")[2].splitlines()[0])


def test_parser_reads_each_method_type_and_number_of_gpus(answers):
    name, refusals, results = answers
    count = 0
    for method, dtype, gpus in CASES:
        case = f"{method}-{dtype}-{gpus}"
        refused = [field for field, is_refused in REFUSALS.items() if is_refused(name, method, dtype, gpus)]
        assert [refusals[case]] == (refused or [None]), case
        if refused:
            continue
        result = results[case]
        assert result["four_bits"] is (method == "qlora"), case
        assert result["dtype"] == dtype, case
        assert result["rank"] == (None if method == "full" else 4), case
        assert (result["batch"], result["rate"], result["steps"]) == (32 // gpus, 0.003, 10), case
        assert result["checkpointing"] is (name != "litgpt"), case
        count += 1
    assert count == {"trl": 12, "axolotl": 8, "unsloth": 8, "torchtune": 3, "litgpt": 3}[name]


def test_parser_reads_what_is_for_speed(answers):
    name, refusals, results = answers
    assert results["paged"]["optimizer"].lower().replace("_", "").endswith(("pagedadamw8bit", "8bit"))
    assert results["not fused"]["optimizer"] != results["default"]["optimizer"]
    if name in ("torchtune", "litgpt"):
        for option in ("packed", "eager", "flash", "liger"):
            assert refusals[option] is not None, option
        return
    assert results["packed"]["packing"] is True
    assert results["default"]["packing"] is False
    if name == "unsloth":
        assert (refusals["eager"], refusals["liger"]) == ("training.attention", "training.liger_kernels")
        return
    assert (results["eager"]["attention"], results["flash"]["attention"]) == ("eager", "flash_attention_2")
    if name == "axolotl":  # as advisor, it looks for the package before training
        assert "flash-attn package is not installed" in results["flash"]["refusal"]
    assert results["liger"]["liger"] is True
    assert results["default"]["liger"] is False
