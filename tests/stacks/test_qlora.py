"""QLoRA with the real runners of axolotl and litgpt: the gate passes, and fails for another base model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from stack_cases import RUNNERS, stack_python

from finetune import record
from finetune.errors import TrainingError
from finetune.sections import Devices
from finetune.spec import RunSpec
from finetune.stacks import Job, load_stack
from finetune.stacks.shared import equivalence

pytestmark = pytest.mark.every_stack
ON_CPU = Path(__file__).with_name("quantise_on_cpu.py")
ENVIRONMENT = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def prepare(train, tmp_path):
    """Return a function from a stack to the spec, the job and the rows of a QLoRA run, before its training."""

    def prepare_run(name):
        source = train("trl")
        values = record.read_record(source).spec
        method = {**values["method"], "name": "qlora"}
        spec = RunSpec.model_validate({**values, "stack": name, "method": method})
        run = tmp_path / name
        job = Job(run, run / "data", spec.model.base, None, steps=12, warmup_steps=2, rows=108, test_rows=12)
        for folder in (job.native, job.work):
            folder.mkdir(parents=True)
        (run / "data").symlink_to(source / "data")
        run_record = record.read_record(source)
        record.write_record(run, run_record)
        record.update_record(run, run_record, spec=spec.model_dump(mode="json"), stack=name)
        return spec, job

    return prepare_run


def run_command(command):
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert process.returncode == 0, process.stdout + process.stderr


def write_config(spec, job):
    for file, text in load_stack(spec.stack).render(spec, job).files.items():
        (job.native / file).write_text(text)


def test_axolotl_trains_on_the_base_that_peft_loads(prepare):
    spec, job = prepare("axolotl")
    write_config(spec, job)
    run_command(load_stack("axolotl").command(stack_python("axolotl"), spec, job))
    load_stack("axolotl").export_adapter(spec, job)
    gate = equivalence.check_logits(job.folder)
    assert gate["error"] < 0.1 * gate["effect"]


def test_litgpt_trains_on_the_base_that_peft_loads(prepare):
    """litgpt's own command trains; only Lightning's search for a GPU is replaced."""
    spec, job = prepare("litgpt")
    write_config(spec.model_copy(update={"devices": Devices(kind="cuda")}), job)
    runner = RUNNERS / "litgpt_lora.py"
    config = str(job.native / "finetune_lora.yaml")
    run_command([str(stack_python("litgpt")), str(ON_CPU), str(runner), config, str(job.folder)])
    load_stack("litgpt").export_adapter(spec, job)  # contains the gate
    gate = json.loads((job.folder / "gate.json").read_text())
    assert gate["error"] < 0.1 * gate["effect"]


def test_gate_finds_the_embedding_that_litgpt_normalises_by_itself(prepare, tmp_path):
    spec, job = prepare("litgpt")
    write_config(spec.model_copy(update={"devices": Devices(kind="cuda")}), job)
    runners = tmp_path / "runners"
    shutil.copytree(RUNNERS, runners)
    text = (runners / "litgpt_lora.py").read_text()
    (runners / "litgpt_lora.py").write_text(
        text.replace("        keep_plain_embedding()\n", "        pass\n")
    )
    config = str(job.native / "finetune_lora.yaml")
    run_command([str(stack_python("litgpt")), str(ON_CPU), str(runners / "litgpt_lora.py"),
                 config, str(job.folder)])  # fmt: skip
    with pytest.raises(TrainingError, match="is wrong: its logits differ from the stack's own"):
        load_stack("litgpt").export_adapter(spec, job)
    assert Path(job.folder / "gate.json").is_file()
