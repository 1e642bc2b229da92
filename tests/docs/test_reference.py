"""The generated pages are up to date, and every metric has its section."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from advisor.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
MANUAL_PAGES = {"glossary.md", "json.md"}


def test_make_docs_changes_nothing(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py"), str(tmp_path)], check=True)
    new_pages = {p.name: p.read_text() for p in tmp_path.iterdir()}
    folder = ROOT / "docs" / "reference"
    pages = {p.name: p.read_text() for p in folder.iterdir() if p.name not in MANUAL_PAGES}
    assert new_pages == pages, "run `make docs`"
    assert all(f"| `{name}` | |" in new_pages["metrics.md"] for name in METRICS)


def test_the_man_page_has_a_section_with_the_help_of_each_command():
    page = (ROOT / "docs" / "reference" / "advisor.1").read_text()
    names = [line.removeprefix(".SH ") for line in page.splitlines() if line.startswith(".SH ")]
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    commands = [line.removeprefix("## ").upper() for line in reference.splitlines() if line.startswith("## ")]
    assert names == ["NAME", *commands] and "ADVISOR RUNS SHOW" in commands
    assert "  -h, --help " in page.replace(r"\-", "-") and "```" not in page
    assert "  Rank the candidates and recommend one." in page
    if groff := shutil.which("groff"):
        command = [groff, "-ww", "-man", "-Tutf8", str(ROOT / "docs" / "reference" / "advisor.1")]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert result.stderr == ""


@pytest.mark.parametrize(("name", "words"), [
    ("recommendation", "rank --as-of 2024-06-05"),
    ("recommendation", "rank trl axolotl --domain finetuning-wide"),
    ("comparison", "compare trl unsloth"),
    ("coverage", "coverage --vendor Meta"),
])  # fmt: skip
def test_json_output_matches_its_schema(name, words):
    schema = json.loads((ROOT / "docs" / "reference" / f"{name}.schema.json").read_text())
    command = [sys.executable, "-m", "advisor", *words.split(), "--store", "bundled", "--format", "json"]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    jsonschema.Draft202012Validator(schema).validate(answer)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: answer[key] for key in list(answer)[1:]}, schema)
