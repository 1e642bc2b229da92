"""Train every method of RunSpec on a CPU; PEFT can load each result."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from free_ports import find_free_ports
from train_words import FAST

from finetune.process import launch
from finetune.record import read_record
from finetune.stacks.shared import equivalence

METHODS = {
    "qlora": [],
    "full": [],
    "lora": ["--set", "method.dora=true", "--set", "method.rslora=true"],
    "ia3": ["--set", 'method.targets=["k_proj", "v_proj", "down_proj"]'],
    "vera": ["--set", "method.r=16", "--set", 'method.targets=["q_proj", "v_proj"]'],
    "prompt-tuning": [],
    "prefix-tuning": ["--set", "training.learning_rate=0.05", "--set", "training.steps=40"],
}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_method_trains_and_lowers_the_held_out_loss(advisor, tiny, sums, tmp_path, name):
    folder = tmp_path / "run"
    words = ["--data", sums, "--model", tiny, "-o", folder, *FAST, "--set", "training.steps=8"]
    words += ["--set", f"method.name={name}", "--set", "evaluation.generations=1", *METHODS[name]]
    advisor("train", *words)
    record = read_record(folder)
    losses = record.losses["held_out"]
    assert losses["adapter"] < losses["base"], losses
    assert record.losses["held_out_tokens"] > 0
    if name == "qlora":
        assert losses["adapter_quantised"] < losses["base_quantised"]
        assert losses["base_quantised"] != losses["base"], "nothing was quantised"
        assert "bfloat16" in record.deviations[0]
        gate = equivalence.check_logits(folder)
        assert gate["error"] < 0.1 * gate["effect"], "trl trains on the base that PEFT loads"
    if name == "lora":
        config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
        assert config["use_dora"]
        assert config["use_rslora"]
    assert "adapter_model" in "".join(p.name for p in (folder / "adapter").iterdir()) or name == "full"


def steps(folder):
    """Return the loss and the tokens so far of each step, in turn."""
    events = [event for _, event in launch.read_events(folder) if event["event"] == "step"]
    return [n for event in events for n in (event["loss"], event["tokens"])]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes(advisor, tiny, sums, tmp_path, strategy):
    """Two CPU processes over gloo give the same steps as one process, and a complete adapter."""
    folder = tmp_path / "run"
    words = ["--data", sums, "--model", tiny, "-o", folder, *FAST, "--set", "training.steps=6"]
    advisor("train", *words, "--gpus", "2", "--set", f"devices.strategy={strategy}")
    if strategy == "ddp":
        alone = tmp_path / "alone"
        advisor("train", *words[:4], "-o", alone, *words[6:])
        assert steps(folder) == pytest.approx(steps(alone), abs=2e-3)
    record = read_record(folder)
    event = next(e for _, e in launch.read_events(folder) if e["event"] == "spread")
    share = event["parameters_here"] / event["parameters"]
    assert share == pytest.approx(1.0 if strategy == "ddp" else 0.5, abs=0.05), "accelerate must really shard"
    assert not any("did not leave" in line for line in (folder / "log.txt").read_text().splitlines())
    assert record.losses["held_out"]["adapter"] < record.losses["held_out"]["base"]
    assert record.attempts[0].to_step == 6
    assert record.spec["training"]["batch_size"] == 8


def test_two_machines(advisor, variables, tiny, sums, tmp_path):
    """Two commands on this machine: the first writes the record, the second runs only its process."""
    folder = tmp_path / "run"
    words = [
        "train",
        "--data",
        sums,
        "--model",
        tiny,
        *FAST,
        "--set",
        "training.steps=3",
        "--nodes",
        "2",
        "-o",
        folder,
    ]
    errors = advisor(*words, code=2).stderr
    assert "--submit slurm" in errors
    (port,) = find_free_ports(1)
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "advisor", *map(str, words)],
            env={**variables, **places, "NODE_RANK": str(rank)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for rank in (1, 0)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=600)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert [n for n in steps(folder) if isinstance(n, int)] == sorted(
        {n for n in steps(folder) if isinstance(n, int)}
    )
    assert len(steps(folder)) == 6
    assert read_record(folder).state == "finished"
    assert not (folder / "go").exists()


def test_packing_gives_the_same_loss(advisor, tiny, sums, tmp_path):
    """The first step of a packed run: rows in the same pack do not attend to each other."""
    losses = {}
    for packing in ("false", "true"):
        folder = tmp_path / packing
        rows = tmp_path / "few.jsonl"
        rows.write_text("\n".join(sums.read_text().splitlines()[:8]) + "\n")
        words = ["--data", rows, "--model", tiny, "-o", folder, *FAST, "--set", f"data.packing={packing}"]
        words += ["--set", "data.max_length=512", "--set", "training.steps=1", "--set", "evaluation.rows=0"]
        advisor("train", *words, "--set", "data.evaluation_share=0")
        losses[packing] = read_record(folder).losses["first_step"]
    assert losses["true"] == pytest.approx(losses["false"], abs=2e-3)
