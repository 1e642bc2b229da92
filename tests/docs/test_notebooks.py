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
then, now, changes, choices = (results[n] for n in ("then", "now", "changes", "simple_choices"))
assert (then.choice, then.certainty, now.choice) == ("huggingface/trl", "tie", "unslothai/unsloth")
assert list(changes.index)[:2] == ["trl", "axolotl"] and changes["rank now"]["trl"] == 2
assert changes["and now"]["trl"] > 3 * changes["commits a year then"]["trl"]
assert list(changes.index)[3] == "torchtune" and changes["declared status now"]["torchtune"] == "unmaintained"
assert list(changes.index)[-1] == "unsloth" and changes["rank now"]["unsloth"] == 1
assert changes["and now"]["unsloth"] == changes["and now"].max()
assert any("one person" in f.text for f in then.ranking[-1].findings)
assert choices["highest truck factor"] == ["torchtune"] and choices["most commits"] == ["axolotl"]
assert changes["and now"]["axolotl"] < changes["commits a year then"]["axolotl"]
silent = [r for r in then.ranking for o in r.outlook if o.probability_inactive > 0.05]
assert not silent and all(days < 365 for days in results["idle_days"].values())
""",
    "compare-your-own-candidates": """
ours, with_rule, excluded, firsts = (results[n] for n in ("ours", "with_rule", "excluded", "firsts"))
assert len(ours.ranking) == 4 and firsts.sum() == 10
for r in with_rule.ranking:
    share = r.measurement("top_contributor_share").value
    assert r.excluded == (r.candidate.name in excluded) == (share > 0.5)
assert excluded and not with_rule.ranking[0].excluded
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
