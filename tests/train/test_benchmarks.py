"""The benchmarks that a user starts with figures command, here on a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(variables, script, *words):
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, words)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_benchmark_of_qlora_and_lora(variables, tmp_path):
    out = tmp_path / "r.json"
    table = run(variables, "qlora.py", "tiny", "--steps", 4, "--length", 64, "--out", out)
    result = json.loads(out.read_text())
    assert result["processor"]
    assert result["date"]
    assert result["versions"]["bitsandbytes"]
    assert set(result["methods"]) == {"lora", "qlora"}
    for name, figures in result["methods"].items():
        assert f"| {name} |" in table
        assert figures["longest_row"] == 64
        assert figures["measured_mib"] > 100
        assert figures["error"] == round(figures["error"], 4)
        assert abs(figures["predicted_mib"] / figures["measured_mib"] - 1 - figures["error"]) < 0.01
        assert figures["tokens_per_second"] > 0
    assert result["methods"]["qlora"]["loss_first_step"] != result["methods"]["lora"]["loss_first_step"]


def test_benchmark_of_the_wrapper_and_a_plain_script(variables, tiny, tmp_path):
    out = tmp_path / "r.json"
    run(variables, "wrapper_overhead.py", "--model", tiny, "--steps", 2, "--pairs", 1, "--out", out)
    result = json.loads(out.read_text())
    for kind in ("wall", "cpu"):
        assert result[kind]["ratios"] == [result[kind]["ratio_median"]]
        plain, ours = result[kind]["plain_median_s"], result[kind]["advisor_median_s"]
        assert abs(ours / plain - result[kind]["ratio_median"]) < 0.01
