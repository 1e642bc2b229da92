"""The reference population: scales take their ends from it, and its script works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_panel

from advisor.domain.domain import load_domain
from advisor.domain.percentiles import PERCENTILES_FILE, load_percentiles
from advisor.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
ACTIVE = load_percentiles().active
SCALES = [
    s for c in load_domain("finetuning").criteria for s in c.scales if s.source.startswith("reference population")
]  # fmt: skip


def test_some_scales_use_the_population():
    assert len(SCALES) >= 6


@pytest.mark.parametrize("scale", SCALES, ids=lambda s: s.metric)
def test_ends_of_a_scale_are_percentiles_of_the_population(scale):
    size, *ends = re.match(r"reference population, ([^:]+): p(\d\d) to p(\d\d)", scale.source).groups()
    cell = next(c for c in ACTIVE.cells if (c.metric, c.age, c.size) == (scale.metric, "all", size))
    percentiles = [cell.values[ACTIVE.percents.index(int(p))] for p in ends]
    assert [min(scale.worst, scale.best), max(scale.worst, scale.best)] == pytest.approx(
        percentiles, rel=0.05
    )


def test_cells_have_enough_libraries():
    assert {c.age for c in ACTIVE.cells} == {"all", "under 2 years", "2 to 5 years", "5 years and more"}
    assert min(c.n for c in ACTIVE.cells) >= 30


def test_the_script_builds_the_percentiles(tmp_path):
    panel = small_panel.write(tmp_path / "panel.parquet", small_panel.rows(120))
    out = tmp_path / PERCENTILES_FILE
    out.parent.mkdir()
    command = [sys.executable, ROOT / "scripts/build_reference.py", panel, "--at", "2023-01-01", "-o", out]
    subprocess.run([*map(str, command)], check=True)
    percentiles = load_percentiles(tmp_path)
    closed = percentiles.active.of_all()["issues_closed_share"]
    assert closed.n > 60
    assert 0 < closed.values[0] <= closed.values[3] <= 1
    stars = percentiles.listed.of_all()["stars"]
    assert (stars.n, stars.values[100], percentiles.listed.percents) == (
        120,
        10 * 119 + 47,
        tuple(range(101)),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "active"),
        ({"values": [3, 2]}, "not in ascending order"),
        ({"values": [1]}, "for each percentile"),
    ],
)
def test_a_damaged_file_is_an_error(changes, message, tmp_path):
    cell = {"metric": "stars", "age": "all", "size": "all", "n": 9, "values": [1, 2], **changes}
    cohort = {"as_of": "2024-01-01", "libraries": "some", "percents": [5, 95], "cells": [cell]}
    (tmp_path / "reference").mkdir()
    (tmp_path / PERCENTILES_FILE).write_text(
        json.dumps({"active": cohort, "listed": cohort} if changes else {})
    )
    with pytest.raises(ConfigError, match=rf"percentiles.json: .*{message}"):
        load_percentiles(tmp_path)
    assert load_percentiles(tmp_path / "elsewhere") is None
