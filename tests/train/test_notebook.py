"""The notebooks about training on a small model: notebooks/read-a-run.py reads a run, the other makes one."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from finetune.record import read_record

ROOT = Path(__file__).resolve().parents[2]
MAKE = runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))


def run(name, folder, variables):
    """Run a notebook in a folder, and return what it prints."""
    notebook = MAKE["read_script"](ROOT / "notebooks" / f"{name}.py")
    MAKE["run_notebook"](notebook, folder, variables)
    return MAKE["read_output"](notebook)


def test_notebook_reads_a_run(finished_run, variables, tmp_path):
    folder, _ = finished_run
    output = run("read-a-run", tmp_path, {**variables, "RUN": str(folder)})
    record = read_record(folder)
    assert record.id in output and record.outcome in output
    assert f"{record.losses['held_out']['base']:.3f} before" in output
    assert "training.steps" in output and "last" in output


def test_notebook_chooses_plans_trains_and_judges(tiny, sums, variables, tmp_path):
    env = {**variables, "DATA": str(sums), "MODEL": str(tiny), "TMPDIR": str(tmp_path)}
    output = run("from-your-data-to-an-adapter", tmp_path, env)
    (folder,) = tmp_path.glob("*/run")
    record = read_record(folder)
    losses = record.losses["held_out"]
    assert losses["adapter"] < losses["base"]
    assert f"held-out loss: {losses['base']:.2f} before, {losses['adapter']:.2f} after" in output
    assert f"{len(sums.read_text().splitlines())} rows, for example:" in output
    assert record.outcome in output and "fits: " in output
    (first, *_) = json.loads((folder / "evaluation.json").read_text())["generations"]
    assert " ".join(first["wanted"].split())[:80] in output
