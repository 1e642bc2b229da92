"""The notebooks run as they are stored, and their results agree with their prose.

Those about training: tests/train/test_notebook.py.
"""

from __future__ import annotations

import re
import runpy
import urllib.parse
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKE = runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))
NOTEBOOKS = {p.stem: p for p in (ROOT / "notebooks").glob("*.py")}
CHECKS = {
    "the-question-of-june-2024": """
choices = simple_choices
assert (then.choice, then.certainty, now.choice) == ("huggingface/trl", "tie", "unslothai/unsloth")
assert list(changes.index)[:2] == ["axolotl", "trl"] and changes["rank now"]["trl"] == 2
assert changes["and now"]["trl"] > 3 * changes["commits a year then"]["trl"]
assert list(changes.index)[3] == "torchtune" and changes["declared status now"]["torchtune"] == "unmaintained"
assert list(changes.index)[-1] == "unsloth" and changes["rank now"]["unsloth"] == 1
assert changes["and now"]["unsloth"] == changes["and now"].max()
assert any("one person" in f.text for f in then.ranking[-1].findings)
assert choices["highest truck factor"] == ["torchtune"] and choices["most commits"] == ["axolotl"]
assert changes["and now"]["axolotl"] < changes["commits a year then"]["axolotl"]
silent = [r for r in then.ranking for o in r.outlook if o.probability_inactive > 0.05]
assert not silent and all(days < 365 for days in idle_days.values())
""",
    "compare-your-own-candidates": """
assert len(ours.ranking) == 4 and firsts.sum() == 10
for r in with_rule.ranking:
    share = r.measurement("top_contributor_share").value
    assert r.excluded == (r.candidate.name in excluded) == (share > 0.5)
assert excluded and not with_rule.ranking[0].excluded
assert set(firsts.index) < {r.candidate.name for r in ours.ranking}, "some candidate is never first"
""",
}


def test_each_notebook_has_a_check():
    assert set(NOTEBOOKS) == {*CHECKS, "read-a-run", "from-your-data-to-an-adapter"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_has_the_cells_of_its_script_and_small_outputs(name):
    """`make notebooks` writes the notebook from the script; jupytext reads the same text from both."""
    stored = nbformat.read(NOTEBOOKS[name].with_suffix(".ipynb"), as_version=4)
    nbformat.validate(stored)
    expected = MAKE["read_script"](NOTEBOOKS[name])
    assert [(c.id, c.cell_type, c.source) for c in stored.cells] == [
        (c.id, c.cell_type, c.source) for c in expected.cells
    ]
    text = jupytext.writes(stored, "py:percent").partition("# ---\n\n")[2]
    # ruff and jupytext differ in the blank lines before a cell.
    assert [*filter(None, text.split("\n"))] == [*filter(None, NOTEBOOKS[name].read_text().split("\n"))]
    code = [c for c in stored.cells if c.cell_type == "code"]
    if name in CHECKS:  # the outputs of the others depend on the machine that trains
        assert [c.execution_count for c in code] == list(range(1, len(code) + 1)) and any(
            c.outputs for c in code
        )
    size = NOTEBOOKS[name].with_suffix(".ipynb").stat().st_size
    assert size < 60_000 and not re.search(r"/(home|root|tmp|work|Users)/", nbformat.writes(stored))
    for link in re.findall(r"\]\(([^)#:]+)\)", nbformat.writes(stored)):
        assert (ROOT / "notebooks" / urllib.parse.unquote(link)).exists(), link


def test_the_pictures_exist():
    pictures = [
        (p, name) for p in NOTEBOOKS.values() for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", p.read_text())
    ]
    assert pictures
    for notebook, name in pictures:
        picture = (notebook.parent / name).read_bytes()
        assert picture.startswith(b"\x89PNG") and len(picture) < 300_000


@pytest.mark.parametrize("name", CHECKS)
def test_a_notebook_runs_and_agrees_with_its_prose_and_its_stored_outputs(name):
    notebook = MAKE["read_script"](NOTEBOOKS[name])
    notebook.cells.append(nbformat.v4.new_code_cell(CHECKS[name]))
    MAKE["run_notebook"](notebook, ROOT / "notebooks")
    stored = nbformat.read(NOTEBOOKS[name].with_suffix(".ipynb"), as_version=4)
    assert MAKE["read_output"](notebook) == MAKE["read_output"](stored)
    cards = [
        o.data["text/html"]
        for c in stored.cells
        for o in c.get("outputs", [])
        if "text/html" in o.get("data", {})
    ]
    assert len(cards) == 1 and "Why" in cards[0]
