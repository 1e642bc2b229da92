"""What the pages tell a reader to type is typed: the tutorial (its training is `test_train.py`), CI."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    (page, line)
    for page in ("tutorial.md", "how-to/use-in-ci.md")
    for block in re.findall(
        r"^```sh\n(.*?)```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL
    )
    for line in block.splitlines()
]


def run(line):
    words = shlex.split(line)
    assert words[0] == "advisor"
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_a_typed_line(page, line):
    done = run(line)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 100, page


def test_there_are_lines_and_commands_of_every_page_exist():
    assert len(LINES) > 8
    told = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")]:
        for command in re.findall(r"^(?:[A-Z_]+=\S+ )*advisor ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert f"## advisor {command}\n" in told, f"{page.name}: advisor {command}"


def test_a_gate_that_closes():
    done = run("advisor rank --from pyproject.toml --fail-under 99")
    assert done.returncode == 4


def test_each_warned_about_dependency_is_defended():
    """By the machine-readable answer: a package with a doubt has a row in the explanation."""
    told = json.loads(run("advisor rank --from pyproject.toml --store bundled --format json").stdout)
    doubted = {
        d["name"] for d in told["known"] if any(f["verdict"] != "prefer" for f in d["ranked"]["findings"])
    }
    defended = (
        (ROOT / "docs" / "explanation" / "dependencies.md").read_text().partition("## What advisor says")[2]
    )
    assert doubted
    assert [name for name in sorted(doubted) if f"| {name} |" not in defended] == []
