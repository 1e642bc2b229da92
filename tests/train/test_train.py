"""advisor train on a real run: the adapter, the record, the events and the model card."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file

from finetune import record
from finetune.process import launch
from finetune.record import read_record
from finetune.spec import RunSpec, compose_spec, read_layer

FRESH = Path(__file__).parents[1] / "support" / "fresh_loss.py"


def test_held_out_loss_falls_and_a_new_process_computes_the_same(finished_run, tiny, variables):
    folder, _ = finished_run
    losses = read_record(folder).losses["held_out"]
    assert losses["adapter"] < losses["base"] - 0.3
    fresh = subprocess.run(
        [sys.executable, str(FRESH), str(tiny), str(folder)],
        capture_output=True,
        text=True,
        env=variables,
        check=True,
    )
    assert abs(float(fresh.stdout) - losses["adapter"]) < 1e-3


def test_record_is_complete(finished_run, tiny, sums):
    folder, process = finished_run
    record = read_record(folder)
    assert record.current_state == "finished"
    assert record.outcome in process.stdout
    assert record.recommendation["choice"] == "huggingface/trl"
    assert record.origins["stack"] == "recommended"
    assert record.origins["training.steps"] == "--set"
    assert record.data["train_rows"] + record.data["test_rows"] == 120
    assert record.model["fingerprint"].startswith("sha256:")
    assert record.environment["packages"]["trl"]
    assert record.attempts[0].to_step == 12
    assert record.losses["last_step"] < record.losses["first_step"]
    assert record.timings_seconds["train"] > 0
    spec = compose_spec([("file", read_layer(folder / "spec.toml"))]).spec
    assert spec == RunSpec.model_validate(record.spec)
    assert (spec.model.base, spec.data.train) == (str(tiny), str(sums))


def test_events_contain_every_step(finished_run):
    folder, _ = finished_run
    events = [event for _, event in launch.read_events(folder)]
    steps = [e for e in events if e["event"] == "step"]
    assert [e["step"] for e in steps] == list(range(1, 13))
    assert all(e["steps"] == 12 and e["loss"] > 0 and e["rss_bytes"] > 0 for e in steps)
    assert [e["event"] for e in events if e["event"] != "step"] == [
        "started",
        "imported",
        "loaded",
        "saved",
        "finished",
    ]


def test_model_card_has_the_data_and_the_losses(finished_run):
    folder, _ = finished_run
    card = (folder / "adapter" / "README.md").read_text()
    record = read_record(folder)
    assert record.data["source_sha256"] in card
    assert f"{record.losses['held_out']['adapter']:.4f}" in card
    assert "huggingface/trl" in card or "trl:" in card
    assert "lm_eval --model hf --model_args pretrained=tiny,peft=path/of/this/folder --tasks" in card


def test_adapter_has_no_pickle_and_names_its_base(finished_run, tiny):
    adapter = finished_run[0] / "adapter"
    assert not {p.suffix for p in adapter.iterdir()} & {".bin", ".pt", ".pth", ".pkl"}
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == tiny.name


def test_finished_run_is_not_resumed_nor_overwritten(finished_run, advisor, tiny, sums):
    folder, _ = finished_run
    assert "nothing to resume" in advisor("train", "--resume", folder, code=2).stderr
    words = ("train", "--data", sums, "--model", tiny, "-o", folder)
    assert "is not empty" in advisor(*words, code=2).stderr


def test_resume_after_the_last_checkpoint_trains_no_step_more(advisor, finished_run, tmp_path):
    """The folder is that of a run whose process was killed right after it had saved the last step."""
    source, _ = finished_run
    folder = tmp_path / "run"
    shutil.copytree(source, folder, symlinks=True)
    shutil.rmtree(folder / "adapter")
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if json.loads(line)["event"] == "saved")
    assert json.loads(lines[last])["step"] == 12
    (folder / "events.jsonl").write_text("".join(lines[: last + 1]))
    run_record = record.read_record(folder)
    attempt = dataclasses.replace(run_record.attempts[-1], outcome="failed")
    record.update_record(folder, run_record, state="failed", attempts=(attempt,))
    advisor("train", "--resume", folder)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()[last + 1 :]]
    assert not [event for event in events if event["event"] in ("step", "saved")]
    assert events[-1]["event"] == "finished"
    assert events[-1]["step"] == 12
    ours, theirs = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (folder, source))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert record.read_record(folder).state == "finished"
