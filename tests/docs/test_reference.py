"""The generated pages are those that the code gives, and every metric is on its page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from advisor.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]


def test_make_docs_changes_nothing(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py"), str(tmp_path)], check=True)
    made = {p.name: p.read_text() for p in tmp_path.iterdir()}
    kept = {p.name: p.read_text() for p in (ROOT / "docs" / "reference").iterdir()}
    assert made == kept, "run `make docs`"
    assert all(f"| `{name}` | |" in made["metrics.md"] for name in METRICS)
