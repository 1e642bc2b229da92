"""Measure `advisor train --demo`: time, memory, loss and answers.

    OMP_NUM_THREADS=2 python benchmarks/demo.py [OUT.json]

Downloads and converts the model first (not timed) and runs `advisor train --demo`. Then a process without
advisor loads the adapter with `PeftModel.from_pretrained` and computes the held-out loss again.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hardware import describe_hardware

from finetune import demo
from finetune.machine import memory
from finetune.record import read_record

ROOT = Path(__file__).resolve().parents[1]
FRESH = ROOT / "tests" / "support" / "fresh_loss.py"


def main() -> None:
    out = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "benchmarks" / "results" / "demo.json"
    base = demo.prepare_model(print)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        start, usage_before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "advisor", "train", "--demo", "-o", str(folder)], check=True)
        wall, usage = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        run_record, evaluation = read_record(folder), json.loads((folder / "evaluation.json").read_text())
        words = [
            sys.executable,
            str(FRESH),
            str(base),
            str(folder),
            str(run_record.spec["evaluation"]["rows"]),
        ]
        fresh = float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    prediction, peak = run_record.memory_bytes["predicted"]["total"], run_record.memory_bytes["measured_peak"]
    losses = run_record.losses["held_out"]
    cpu = usage.ru_utime + usage.ru_stime - usage_before.ru_utime - usage_before.ru_stime
    result = {
        **describe_hardware(),
        "steps": run_record.attempts[-1].to_step,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "timings_seconds": dict(run_record.timings_seconds),
        "held_out": dict(losses),
        "fresh_process": fresh,
        "fresh_minus_recorded": fresh - losses["adapter"],
        "answers_changed": sum(answer["base"] != answer["adapter"] for answer in evaluation["generations"]),
        "answers": evaluation["generations"],
        "longest_row": run_record.data["longest"],
        "file_bytes": memory.count_file_bytes(str(base)),
        "predicted_mib": round(prediction / 2**20),
        "measured_mib": round(peak / 2**20),
        "memory_error": round(prediction / peak - 1, 4),
    }
    out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"wall time {wall:.0f} s (target: under 600), processor time {cpu:.0f} s, {result['steps']} steps")
    print(f"held-out loss {losses['base']:.4f} → {losses['adapter']:.4f}")
    print(f"new process: {fresh:.6f}, {result['fresh_minus_recorded']:+.1e} from the recorded loss")
    peak_mib, predicted_mib = result["measured_mib"], result["predicted_mib"]
    print(f"peak {peak_mib} MiB, predicted {predicted_mib} ({result['memory_error']:+.1%})")


if __name__ == "__main__":
    main()
