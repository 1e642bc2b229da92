"""The commands of the tutorial, up to its adapter, and of the page about CI work."""

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
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=env,
    )


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_a_command_runs(page, line):
    process = run(line)
    assert process.returncode == 0, process.stderr
    assert len(process.stdout) > 100, page


def read_block(name):
    """Return the lines of the block with this name in the tutorial."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    (block,) = re.findall(rf"^```sh {name}\n(.*?)```$", page, re.MULTILINE | re.DOTALL)
    return block.splitlines()


def test_your_own_rows_become_an_adapter_that_is_judged(tmp_path):
    """Sections 5 and 6 and `judge`, in a folder with the models A, B and MODEL, and mine.jsonl."""
    for name in ("A", "B", "MODEL"):
        tiny_model.model(tmp_path / name)
    tiny_model.write(tmp_path / "mine.jsonl", tiny_model.sums())
    variables = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    variables |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    outputs = {}
    for line in [*read_block("bases"), *read_block("rows")]:
        process = run(line, tmp_path, **variables)
        assert process.returncode == 0, process.stderr
        outputs[line.split()[1]] = process.stdout
    assert list(outputs) == ["bases", "preview", "plan", "train", "runs"]
    (folder,) = (tmp_path / "data" / "advisor" / "runs").iterdir()
    (line,) = read_block("run")
    process = run(line.replace("RUN", folder.name), tmp_path, **variables)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("exact-match ")
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    assert folder.name in outputs["runs"]
    schema = json.loads((ROOT / "docs" / "reference" / "record.schema.json").read_text())
    record = json.loads((folder / "record.json").read_text())
    jsonschema.validate(record, schema)
    losses = record["losses"]["held_out"]
    assert losses["adapter"] < losses["base"]


def test_commands_of_every_page_exist():
    assert len(LINES) > 8
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")]:
        code = "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
        for command in re.findall(r"^(?:[A-Z_]+=\S+ )*advisor ([a-z-]+)", code, re.MULTILINE):
            assert f"## advisor {command}\n" in reference, f"{page.name}: advisor {command}"


def test_the_gate_of_the_page_exits_with_4_and_names_the_package():
    """advisor's own file has packages with a low score, so that the gate of the page is closed."""
    page = (ROOT / "docs" / "how-to" / "use-in-ci.md").read_text()
    (line,) = re.findall(r"^```sh gate\n(.*)\n```$", page, re.MULTILINE)
    process = run(line)
    assert process.returncode == 4
    answer = json.loads(run("advisor rank --from pyproject.toml --format json").stdout)
    low_names = [d["name"] for d in answer["known"] if d["ranked"]["score"] < 40]
    assert low_names
    for name in low_names:
        assert re.search(rf"^{re.escape(name)} +[0-9]+ ", process.stdout, re.MULTILINE), name


def test_fail_under_exits_with_4():
    process = run("advisor rank --from pyproject.toml --fail-under 99")
    assert process.returncode == 4


def test_the_docs_explain_each_dependency_with_a_doubt():
    """A package with a doubt in the JSON answer has a row in the explanation."""
    answer = json.loads(run("advisor rank --from pyproject.toml --store bundled --format json").stdout)
    doubtful_names = {
        d["name"] for d in answer["known"] if any(f["verdict"] != "prefer" for f in d["ranked"]["findings"])
    }
    explanation = (
        (ROOT / "docs" / "explanation" / "dependencies.md").read_text().partition("## What advisor says")[2]
    )
    assert doubtful_names
    assert [name for name in sorted(doubtful_names) if f"| {name} |" not in explanation] == []
