"""The reference population: the scales that name it take their ends from it, and it can be made anew."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_panel

from advisor.domain.domain import load_domain
from advisor.domain.population import FILE, load_population
from advisor.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
ACTIVE = load_population().active
NAMED = [
    s for c in load_domain("finetuning").criteria for s in c.scales if s.source.startswith("reference population")
]  # fmt: skip


def test_some_scales_name_it():
    assert len(NAMED) >= 7


@pytest.mark.parametrize("scale", NAMED, ids=lambda s: s.metric)
def test_a_scale_that_names_it_agrees_with_it(scale):
    size, *ends = re.match(r"reference population, ([^:]+): p(\d\d) to p(\d\d)", scale.source).groups()
    cell = next(c for c in ACTIVE.cells if (c.metric, c.age, c.size) == (scale.metric, "all", size))
    found = [cell.values[ACTIVE.percents.index(int(p))] for p in ends]
    assert [min(scale.worst, scale.best), max(scale.worst, scale.best)] == pytest.approx(found, rel=0.05)


def test_cells_are_not_small():
    assert {c.age for c in ACTIVE.cells} == {"all", "under 2 years", "2 to 5 years", "5 years and more"}
    assert min(c.n for c in ACTIVE.cells) >= 30


def test_it_can_be_made_anew(tmp_path):
    panel = small_panel.write(tmp_path / "panel.parquet", small_panel.rows(120))
    out = tmp_path / FILE
    out.parent.mkdir()
    command = [sys.executable, ROOT / "scripts/build_reference.py", panel, "--at", "2023-01-01", "-o", out]
    subprocess.run([*map(str, command)], check=True)
    made = load_population(tmp_path)
    closed = made.active.of_all()["issues_closed_share"]
    assert closed.n > 60
    assert 0 < closed.values[0] <= closed.values[3] <= 1
    stars = made.listed.of_all()["stars"]
    assert (stars.n, stars.values[100], made.listed.percents) == (120, 10 * 119 + 47, tuple(range(101)))


@pytest.mark.parametrize(
    ("what", "said"),
    [({}, "active"), ({"values": [3, 2]}, "do not rise"), ({"values": [1]}, "for each percentile")],
)
def test_a_damaged_file_is_one_message(what, said, tmp_path):
    cell = {"metric": "stars", "age": "all", "size": "all", "n": 9, "values": [1, 2], **what}
    cohort = {"as_of": "2024-01-01", "libraries": "some", "percents": [5, 95], "cells": [cell]}
    (tmp_path / "reference").mkdir()
    (tmp_path / FILE).write_text(json.dumps({"active": cohort, "listed": cohort} if what else {}))
    with pytest.raises(ConfigError, match=rf"population.json: .*{said}"):
        load_population(tmp_path)
    assert load_population(tmp_path / "elsewhere") is None
