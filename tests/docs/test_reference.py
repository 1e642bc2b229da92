"""The generated pages are those that the code gives, and every metric is on its page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from advisor.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]


def test_make_docs_changes_nothing(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py"), str(tmp_path)], check=True)
    made = {p.name: p.read_text() for p in tmp_path.iterdir()}
    kept = {p.name: p.read_text() for p in (ROOT / "docs" / "reference").iterdir()}
    assert made == kept, "run `make docs`"
    assert all(f"| `{name}` | |" in made["metrics.md"] for name in METRICS)


@pytest.mark.parametrize(("name", "words"), [
    ("recommendation", "rank --as-of 2024-06-05"),
    ("recommendation", "rank trl axolotl --domain finetuning-wide"),
    ("comparison", "compare trl unsloth"),
    ("coverage", "coverage --vendor Meta"),
])  # fmt: skip
def test_what_is_printed_keeps_its_schema(name, words):
    schema = json.loads((ROOT / "docs" / "reference" / f"{name}.schema.json").read_text())
    asked = [sys.executable, "-m", "advisor", *words.split(), "--store", "bundled", "--format", "json"]
    printed = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    jsonschema.Draft202012Validator(schema).validate(printed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: printed[key] for key in list(printed)[1:]}, schema)
