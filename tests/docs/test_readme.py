"""The sample output in the README is what the program prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_sample_output_is_what_rank_prints():
    readme = (ROOT / "README.md").read_text()
    sample = re.search(r"```text\n(.*?)```", readme, re.DOTALL)[1]
    output = subprocess.run(
        [sys.executable, "-m", "advisor", "rank"], capture_output=True, text=True, check=True
    ).stdout
    assert len(sample.splitlines()) > 10
    assert output.startswith(sample)


def test_the_readme_names_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make rank" in readme and "make test" in readme
