"""notebooks/read-a-run.py on a run that was trained for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from finetune import record

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "read-a-run.py"


def test_it_reads_the_run(finished, variables):
    folder, _ = finished
    done = subprocess.run([sys.executable, str(NOTEBOOK)], capture_output=True, text=True, check=False,
                          env={**variables, "RUN": str(folder)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = record.load(folder)
    assert told.id in done.stdout and told.outcome in done.stdout
    assert f"{told.losses['held_out']['base']:.3f} before" in done.stdout
    assert "training.steps" in done.stdout and "last" in done.stdout
