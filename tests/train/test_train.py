"""advisor train, for real: what comes out, what is written down, and that it is what was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from finetune import record
from finetune.process import launch
from finetune.spec import RunSpec, compose, read_layer

FRESH = Path(__file__).parents[1] / "support" / "fresh_loss.py"


def test_the_held_out_loss_falls_and_a_fresh_process_gives_the_recorded_one(finished, tiny, variables):
    folder, _ = finished
    held = record.load(folder).losses["held_out"]
    assert held["adapter"] < held["base"] - 0.3
    fresh = subprocess.run(
        [sys.executable, str(FRESH), str(tiny), str(folder)],
        capture_output=True,
        text=True,
        env=variables,
        check=True,
    )
    assert abs(float(fresh.stdout) - held["adapter"]) < 1e-3


def test_the_record_is_whole(finished, tiny, sums):
    folder, done = finished
    told = record.load(folder)
    assert told.standing == "finished"
    assert told.outcome in done.stdout
    assert told.recommendation["choice"] == "huggingface/trl"
    assert told.origins["stack"] == "recommended"
    assert told.origins["training.steps"] == "--set"
    assert told.data["train_rows"] + told.data["test_rows"] == 120
    assert told.model["fingerprint"].startswith("sha256:")
    assert told.environment["packages"]["trl"]
    assert told.attempts[0].to_step == 12
    assert told.losses["last_step"] < told.losses["first_step"]
    assert told.timings_seconds["train"] > 0
    spec = compose([("file", read_layer(folder / "spec.toml"))]).spec
    assert spec == RunSpec.model_validate(told.spec)
    assert (spec.model.base, spec.data.train) == (str(tiny), str(sums))


def test_the_events_tell_every_step(finished):
    folder, _ = finished
    told = [event for _, event in launch.events(folder)]
    steps = [e for e in told if e["event"] == "step"]
    assert [e["step"] for e in steps] == list(range(1, 13))
    assert all(e["steps"] == 12 and e["loss"] > 0 and e["rss_bytes"] > 0 for e in steps)
    assert [e["event"] for e in told if e["event"] != "step"] == [
        "started",
        "imported",
        "loaded",
        "saved",
        "finished",
    ]


def test_the_card_names_the_data_and_the_measured_numbers(finished):
    folder, _ = finished
    card = (folder / "adapter" / "README.md").read_text()
    told = record.load(folder)
    assert told.data["source_sha256"] in card
    assert f"{told.losses['held_out']['adapter']:.4f}" in card
    assert "huggingface/trl" in card or "trl:" in card


def test_the_adapter_holds_no_pickle_and_names_its_base(finished, tiny):
    adapter = finished[0] / "adapter"
    assert not {p.suffix for p in adapter.iterdir()} & {".bin", ".pt", ".pth", ".pkl"}
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny)


def test_a_finished_run_is_not_resumed_and_a_full_folder_not_overwritten(finished, advisor, tiny, sums):
    folder, _ = finished
    assert "nothing to resume" in advisor("train", "--resume", folder, code=2).stderr
    words = ("train", "--data", sums, "--model", tiny, "-o", folder)
    assert "is not empty" in advisor(*words, code=2).stderr
