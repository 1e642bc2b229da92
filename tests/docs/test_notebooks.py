"""The notebooks run, and what their prose says is what they print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_runs_and_its_prose_is_true(path):
    check = """
import runpy, sys
found = runpy.run_path(sys.argv[1])
then, now, became, naive = (found[n] for n in ("then", "now", "became", "naive"))
assert then.choice == now.choice == "huggingface/trl"
assert became["and now"]["trl"] > 3 * became["commits a year then"]["trl"]
assert list(became.index)[2] == "torchtune" and became["says of itself now"]["torchtune"] == "unmaintained"
assert list(became.index)[-1] == "unsloth" and became["rank now"]["unsloth"] == 2
assert became["and now"]["unsloth"] == became["and now"].max()
assert any("one person" in f.text for f in then.ranking[-1].findings)
assert naive["highest truck factor"] == ["torchtune"] and naive["most commits"] == ["axolotl"]
assert became["and now"]["axolotl"] < became["commits a year then"]["axolotl"]
silent = [r for r in then.ranking for o in r.outlook if o.probability_inactive > 0.05]
assert not silent and all(days < 365 for days in found["alive"].values())
"""
    done = subprocess.run(
        [sys.executable, "-c", check, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2024-06-05: huggingface/trl" in done.stdout
