"""`advisor train --demo`: time, memory, loss, answers, and its adapter in a fresh process.

    OMP_NUM_THREADS=2 python benchmarks/demo.py [OUT.json]

Fetches and converts the model first (not timed), runs `advisor train --demo`, then loads the adapter with
`PeftModel.from_pretrained` in a process that knows nothing of advisor and sums up the held-out loss again.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hardware import described

from finetune import demo, record
from finetune.machine import memory

ROOT = Path(__file__).resolve().parents[1]
FRESH = ROOT / "tests" / "support" / "fresh_loss.py"


def main() -> None:
    out = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "benchmarks" / "results" / "demo.json"
    base = demo.model(print)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "advisor", "train", "--demo", "-o", str(folder)], check=True)
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        told, judged = record.load(folder), json.loads((folder / "evaluation.json").read_text())
        words = [sys.executable, str(FRESH), str(base), str(folder), str(told.spec["evaluation"]["rows"])]
        fresh = float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    predicted, measured = told.memory_bytes["predicted"]["total"], told.memory_bytes["measured_peak"]
    held = told.losses["held_out"]
    answer = {
        **described(),
        "steps": told.attempts[-1].to_step,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, 1),
        "timings_seconds": dict(told.timings_seconds),
        "held_out": dict(held),
        "fresh_process": fresh,
        "fresh_minus_recorded": fresh - held["adapter"],
        "answers_changed": sum(one["base"] != one["adapter"] for one in judged["generations"]),
        "answers": judged["generations"],
        "longest_row": told.data["longest"],
        "file_bytes": memory.file_bytes(str(base)),
        "predicted_mib": round(predicted / 2**20),
        "measured_mib": round(measured / 2**20),
        "memory_error": round(predicted / measured - 1, 4),
    }
    out.write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
    cpu, steps, error = answer["cpu_seconds"], answer["steps"], answer["memory_error"]
    print(f"wall {wall:.0f} s (aim: under 600), processor {cpu:.0f} s, {steps} steps")
    print(f"held-out loss {held['base']:.4f} → {held['adapter']:.4f}")
    print(f"fresh process: {fresh:.6f}, {answer['fresh_minus_recorded']:+.1e} from the recorded one")
    print(f"peak {answer['measured_mib']} MiB, predicted {answer['predicted_mib']} ({error:+.1%})")


if __name__ == "__main__":
    main()
