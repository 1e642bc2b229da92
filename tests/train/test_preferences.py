"""Train on preferences with trl: a killed DPO run learns, and ends with the adapter of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import tiny_model
from train_words import FAST

from finetune import attempt
from finetune.data import dataset
from finetune.process import launch
from finetune.record import read_record, read_spec
from finetune.runners.emit import is_alive
from finetune.stacks import load_stack


def compare_answers():
    """Return pairs: the form of the question says which of two answers is the better one."""
    answers = ["it is small .", "it is the sum of two ."]
    return [
        {
            "prompt": [{"role": "user", "content": f"what is {i} plus {j} ?" if odd else f"{i} and {j} ?"}],
            "chosen": [{"role": "assistant", "content": answers[odd]}],
            "rejected": [{"role": "assistant", "content": answers[1 - odd]}],
        }
        for i in range(10)
        for j in range(6)
        for odd in (0, 1)
    ][:116]


def write_pause(folder):
    """Let training wait before its second checkpoint is complete: a short one could end before a signal."""
    (folder / "pause").mkdir()
    (folder / "pause" / "sitecustomize.py").write_text(
        "import sys, time\n"
        "def wait(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('checkpoint-4/complete'): time.sleep(600)\n"
        "sys.addaudithook(wait)\n"
    )
    return folder / "pause"


def test_killed_dpo_run_learns_and_ends_as_an_undisturbed_one(variables, advisor, tiny, tmp_path):
    folder = tmp_path / "run"
    pairs = tiny_model.write(tmp_path / "pairs.jsonl", compare_answers())
    words = ["--data", pairs, "--model", tiny, "-o", folder, "--stack", "trl", *FAST]
    for value in ("method.objective=dpo", "training.micro_batch_size=2", "logging.save_every_steps=2",
                  "evaluation.generations=1"):  # fmt: skip
        words += ["--set", value]
    process = subprocess.Popen(
        [sys.executable, "-m", "advisor", "train", *map(str, words)],
        env={**variables, "PYTHONPATH": str(write_pause(tmp_path))}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not (folder / "work" / "checkpoint-4").is_dir():
        assert process.poll() is None, (folder / "log.txt").read_text()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    for pid in read_record(folder).pids.values():
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    output = advisor("train", "--resume", folder).stdout

    record = read_record(folder)
    assert [attempt.outcome for attempt in record.attempts] == ["lost", "trained"]
    assert (record.attempts[1].from_step, record.attempts[1].to_step) == (2, 13)
    last = next(event for _, event in launch.read_events(folder) if event["event"] == "finished")
    assert (last["tokens"], last["trained"]) == (last["planned_tokens"], last["planned_trained"])
    assert last["tokens"] == record.data["train_tokens"], "one epoch"
    losses, figures = record.losses["held_out"], record.losses["preferences"]
    assert losses["base"] == pytest.approx(0.6931, abs=1e-4), "log 2: the base is its own reference"
    assert losses["adapter"] < losses["base"] - 0.1
    assert figures["adapter"]["accuracy"] > 0.9
    assert figures["adapter"]["margin"] > 0.2
    steps = {event["step"]: event for _, event in launch.read_events(folder) if event["event"] == "step"}
    assert steps[1]["loss"] == pytest.approx(0.6931, abs=1e-4)
    assert steps[13]["accuracy"] > 0.9 > steps[1]["accuracy"]
    numbers = (
        f"reward accuracy {figures['adapter']['accuracy']:.0%}, margin {figures['adapter']['margin']:.3f}"
    )
    assert f"{numbers} on 12 preferences" in output
    card = (folder / "adapter" / "README.md").read_text()
    assert f"| reward accuracy, adapter | {figures['adapter']['accuracy']:.1%} |" in card
    assert "tags: [lora, dpo, trl]" in card
    assert_equal_adapter(folder, tmp_path / "undisturbed", variables)


def assert_equal_adapter(folder, other, variables):
    """Run the same training without advisor's command, and compare the adapters."""
    spec = read_spec(folder, read_record(folder))
    (other / "native").mkdir(parents=True)
    data = dataset.open_dataset(folder / "data")
    dataset.link_dataset(data, other / "data")
    job = attempt.build_local_job(spec, data, other, None)
    for name, text in load_stack("trl").render(spec, job).files.items():
        (job.native / name).write_text(text)
    subprocess.run(load_stack("trl").command(sys.executable, spec, job), check=True, env=variables)
    name = "adapter/adapter_model.safetensors"
    assert (folder / name).read_bytes() == (other / name).read_bytes()
