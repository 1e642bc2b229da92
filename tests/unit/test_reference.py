"""The reference population: the scales that name it take their ends from it, and it can be made anew."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_panel

from advisor.domain import data_folder, load_domain

ROOT = Path(__file__).resolve().parents[2]
ROWS = list(csv.DictReader((data_folder() / "reference" / "population.csv").read_text().splitlines()))
NAMED = [
    s for c in load_domain("finetuning").criteria for s in c.scales if s.source.startswith("reference population")
]  # fmt: skip


def test_some_scales_name_it():
    assert len(NAMED) >= 7


@pytest.mark.parametrize("scale", NAMED, ids=lambda s: s.metric)
def test_a_scale_that_names_it_agrees_with_it(scale):
    size, low, high = re.match(r"reference population, ([^:]+): (p\d\d) to (p\d\d)", scale.source).groups()
    row = next(r for r in ROWS if (r["metric"], r["age"], r["size"]) == (scale.metric, "all", size))
    ends = [float(row[low]), float(row[high])]
    assert [min(scale.worst, scale.best), max(scale.worst, scale.best)] == pytest.approx(ends, rel=0.05)


def test_percentiles_rise_and_cells_are_not_small():
    assert {r["age"] for r in ROWS} == {"all", "under 2 years", "2 to 5 years", "5 years and more"}
    for r in ROWS:
        cut = [float(r[p]) for p in r if p.startswith("p")]
        assert cut == sorted(cut)
        assert int(r["n"]) >= 30


def test_it_can_be_made_anew(tmp_path):
    panel = small_panel.write(tmp_path / "panel.parquet", small_panel.rows(120))
    out = tmp_path / "population.csv"
    command = [sys.executable, ROOT / "scripts/build_reference.py", panel, "--at", "2023-01-01", "-o", out]
    subprocess.run([*map(str, command)], check=True)
    made = {(r["metric"], r["age"], r["size"]): r for r in csv.DictReader(out.read_text().splitlines())}
    row = made["issues_closed_share", "all", "all"]
    assert int(row["n"]) > 60
    assert 0 < float(row["p05"]) <= float(row["p50"]) <= 1
