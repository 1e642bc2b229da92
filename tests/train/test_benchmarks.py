"""The benchmarks that somebody with a GPU, or a quiet hour, starts with one command; here on a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(variables, script, *words):
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_qlora_beside_lora(variables, tmp_path):
    out = tmp_path / "r.json"
    table = run(variables, "qlora.py", "tiny", "--steps", 4, "--length", 64, "--out", out)
    told = json.loads(out.read_text())
    assert told["processor"]
    assert told["date"]
    assert told["versions"]["bitsandbytes"]
    assert set(told["methods"]) == {"lora", "qlora"}
    for name, one in told["methods"].items():
        assert f"| {name} |" in table
        assert one["longest_row"] == 64
        assert one["measured_mib"] > 100
        assert one["error"] == round(one["error"], 4)
        assert abs(one["predicted_mib"] / one["measured_mib"] - 1 - one["error"]) < 0.01
        assert one["tokens_per_second"] > 0
    assert told["methods"]["qlora"]["loss_first_step"] != told["methods"]["lora"]["loss_first_step"]


def test_the_wrapper_beside_a_plain_script(variables, tiny, tmp_path):
    out = tmp_path / "r.json"
    run(variables, "wrapper_overhead.py", "--model", tiny, "--steps", 2, "--pairs", 1, "--out", out)
    told = json.loads(out.read_text())
    for kind in ("wall", "cpu"):
        assert told[kind]["ratios"] == [told[kind]["ratio_median"]]
        plain, ours = told[kind]["plain_median_s"], told[kind]["advisor_median_s"]
        assert abs(ours / plain - told[kind]["ratio_median"]) < 0.01
