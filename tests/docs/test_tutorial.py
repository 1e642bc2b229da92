"""What the pages tell a reader to type is typed: the tutorial up to its adapter, CI."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import tiny_model

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    (page, line)
    for page in ("tutorial.md", "how-to/use-in-ci.md")
    for block in re.findall(
        r"^```sh\n(.*?)```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL
    )
    for line in block.splitlines()
]


def run(line, folder=ROOT, **variables):
    words = shlex.split(line)
    assert words[0] == "advisor"
    env = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=folder, env=env
    )


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_a_typed_line(page, line):
    done = run(line)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 100, page


def test_rows_of_ones_own_become_an_adapter(tmp_path):
    """Section 5, in a folder with a MODEL and mine.jsonl."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    (block,) = re.findall(r"^```sh rows\n(.*?)```$", page, re.MULTILINE | re.DOTALL)
    tiny_model.model(tmp_path / "MODEL")
    tiny_model.write(tmp_path / "mine.jsonl", tiny_model.sums())
    home = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    printed = {}
    for line in block.splitlines():
        done = run(line, tmp_path, **home, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
        assert done.returncode == 0, done.stderr
        printed[line.split()[1]] = done.stdout
    assert list(printed) == ["preview", "plan", "train", "runs"]
    (folder,) = (tmp_path / "data" / "advisor" / "runs").iterdir()
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    assert folder.name in printed["runs"]
    schema = json.loads((ROOT / "docs" / "reference" / "record.schema.json").read_text())
    record = json.loads((folder / "record.json").read_text())
    jsonschema.validate(record, schema)
    held = record["losses"]["held_out"]
    assert held["adapter"] < held["base"]


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
