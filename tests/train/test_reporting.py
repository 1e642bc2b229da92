"""A run reports to trackio or Weights & Biases by one option, through transformers' own integration."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from train_words import FAST

from finetune.errors import UnsupportedField
from finetune.process import reporting
from finetune.spec import RunSpec
from finetune.stacks import Job, load_stack


def build_spec(stack, tool="wandb", **sections):
    values = {"model": {"base": "m"}, "data": {"train": "d"}, "logging": {"report_to": tool}, **sections}
    devices = {"devices": {"kind": "cpu"}, "training": {"dtype": "float32", "micro_batch_size": 4}}
    return RunSpec.model_validate({"stack": stack, **devices, **values})


def test_trackio_has_every_step_of_a_real_run(advisor, tiny, sums, tmp_path, monkeypatch, variables):
    monkeypatch.setitem(variables, "TRACKIO_DIR", str(tmp_path / "trackio"))
    folder = tmp_path / "run"
    words = ["--data", sums, "--model", tiny, "-o", folder, "--set", "training.steps=3", "--stack", "trl"]
    process = advisor("train", *words, *FAST, "--report-to", "trackio", "--set", "evaluation.rows=0")
    assert "trackio: trackio show --project advisor" in process.stdout
    database = tmp_path / "trackio" / "advisor.db"
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select run_name, metrics from metrics").fetchall()
    assert {name for name, _ in rows} == {"run"}
    assert sum(b'"train/loss"' in metrics for _, metrics in rows) == 3


def test_wandb_writes_offline_files_into_the_folder_of_the_run(monkeypatch):
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    spec = build_spec("trl")
    variables = reporting.build_variables(Path("/r/run"), spec)
    assert variables["WANDB_MODE"] == "offline"
    assert (variables["WANDB_DIR"], variables["WANDB_PROJECT"]) == ("/r/run", "advisor")
    assert reporting.describe_next_step(Path("/r/a b"), "wandb") == "wandb sync '/r/a b/wandb'/offline-run-*"
    assert reporting.build_variables(Path("/r/run"), build_spec("trl", "none")) == {}
    assert not set(variables) & {"WANDB_API_KEY"} and "WANDB_MODE" not in os.environ


@pytest.mark.parametrize("stack", ["litgpt", "torchtune"])
def test_stacks_with_a_loop_of_their_own_refuse_it(stack):
    from finetune.stacks.shared import own_loop

    with pytest.raises(UnsupportedField, match=r"logging\.report_to.*reports only to advisor"):
        own_loop.refuse_unsupported_fields(stack, build_spec(stack, method={"name": "lora"}))


def test_axolotl_gets_its_own_keys(tmp_path):
    job = Job(tmp_path / "run-1", tmp_path, "m", None, steps=3, warmup_steps=0, rows=8, test_rows=0)
    axolotl = load_stack("axolotl")
    spec = build_spec("axolotl", method={"name": "lora"})
    text = axolotl.render(spec, job).files[axolotl.CONFIG]
    assert "use_wandb: true" in text and "wandb_name: run-1" in text
    other = axolotl.render(build_spec("axolotl", "trackio", method={"name": "lora"}), job)
    assert "use_trackio: true" in other.files[axolotl.CONFIG]
    assert "use_wandb: false" in other.files[axolotl.CONFIG]
