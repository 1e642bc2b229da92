"""notebooks/read-a-run.py on a real run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from finetune.record import read_record

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "read-a-run.py"


def test_notebook_reads_a_run(finished_run, variables):
    folder, _ = finished_run
    process = subprocess.run([sys.executable, str(NOTEBOOK)], capture_output=True, text=True, check=False,
                          env={**variables, "RUN": str(folder)})  # fmt: skip
    assert process.returncode == 0, process.stderr
    record = read_record(folder)
    assert record.id in process.stdout and record.outcome in process.stdout
    assert f"{record.losses['held_out']['base']:.3f} before" in process.stdout
    assert "training.steps" in process.stdout and "last" in process.stdout
