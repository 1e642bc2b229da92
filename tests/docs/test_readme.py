"""The README cannot rot: its example is what the program prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_is_what_rank_prints():
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"```text\n(.*?)```", readme, re.DOTALL)[1]
    printed = subprocess.run(
        [sys.executable, "-m", "advisor", "rank"], capture_output=True, text=True, check=True
    ).stdout
    assert len(shown.splitlines()) > 10
    assert printed.startswith(shown)


def test_a_clean_tree_of_doors():
    readme = (ROOT / "README.md").read_text()
    assert "make rank" in readme and "make test" in readme
