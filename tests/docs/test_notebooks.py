"""The notebooks run, and their results agree with their prose (read-a-run: tests/train/test_notebook.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {p.stem: p for p in (ROOT / "notebooks").glob("*.py")}
CHECKS = {
    "the-question-of-june-2024": """
then, now, became, naive = (results[n] for n in ("then", "now", "became", "naive"))
assert then.choice == now.choice == "huggingface/trl"
assert became["and now"]["trl"] > 3 * became["commits a year then"]["trl"]
assert list(became.index)[2] == "torchtune" and became["says of itself now"]["torchtune"] == "unmaintained"
assert list(became.index)[-1] == "unsloth" and became["rank now"]["unsloth"] == 2
assert became["and now"]["unsloth"] == became["and now"].max()
assert any("one person" in f.text for f in then.ranking[-1].findings)
assert naive["highest truck factor"] == ["torchtune"] and naive["most commits"] == ["axolotl"]
assert became["and now"]["axolotl"] < became["commits a year then"]["axolotl"]
silent = [r for r in then.ranking for o in r.outlook if o.probability_inactive > 0.05]
assert not silent and all(days < 365 for days in results["alive"].values())
""",
    "compare-your-own-candidates": """
ours, ruled, excluded, firsts = (results[n] for n in ("ours", "ruled", "excluded", "firsts"))
assert len(ours.ranking) == 4 and firsts.sum() == 10
for r in ruled.ranking:
    share = r.measurement("top_contributor_share").value
    assert r.excluded == (r.candidate.name in excluded) == (share > 0.5)
assert excluded and not ruled.ranking[0].excluded
assert set(firsts.index) < {r.candidate.name for r in ours.ranking}, "some candidate is never first"
""",
}


def test_each_notebook_has_a_check():
    assert set(NOTEBOOKS) == {*CHECKS, "read-a-run"}


def test_the_pictures_exist():
    pictures = [
        (p, name) for p in NOTEBOOKS.values() for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", p.read_text())
    ]
    assert pictures
    for notebook, name in pictures:
        picture = (notebook.parent / name).read_bytes()
        assert picture.startswith(b"\x89PNG") and len(picture) < 300_000


@pytest.mark.parametrize("name", CHECKS)
def test_a_notebook_runs_and_agrees_with_its_prose(name):
    code = f"import runpy, sys\nresults = runpy.run_path(sys.argv[1])\n{CHECKS[name]}"
    process = subprocess.run(
        [sys.executable, "-c", code, str(NOTEBOOKS[name])], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    if name == "the-question-of-june-2024":
        assert "2024-06-05: huggingface/trl" in process.stdout
