"""The back-test: figures that can be checked by hand, and the command on a panel of its own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_panel
from hypothesis import given
from hypothesis import strategies as st

from advisor.answers.backtest import figures
from advisor.errors import InputError

ROOT = Path(__file__).resolve().parents[4]
HAPPENED = np.array([0, 0, 1, 1])
SCORE = np.array([0.1, 0.4, 0.35, 0.8])


def test_figures_by_hand():
    # The example of scikit-learn's documentation for both of the first two.
    assert figures.auc(HAPPENED, SCORE) == 0.75
    assert figures.average_precision(HAPPENED, SCORE) == pytest.approx(0.8333333)
    assert figures.brier(HAPPENED, SCORE) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert figures.wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_ties_count_half_and_one_class_is_undefined():
    assert figures.auc(np.array([0, 1, 1]), np.ones(3)) == 0.5
    assert np.isnan(figures.auc(np.ones(3), np.ones(3)))
    assert figures.average_precision(np.array([0, 1]), np.ones(2)) == 0.5


def test_where_nothing_happened_nothing_is_told():
    assert np.isnan(figures.average_precision(np.zeros(3), np.ones(3)))
    assert len(figures.calibration_table(HAPPENED, SCORE, bins=9)) == 4, "no bin without a row"
    assert np.isnan(figures.bootstrap(lambda _: float("nan"), np.arange(3), 5)).all()


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=60))
def test_auc_is_the_share_of_pairs(pairs):
    happened = np.array([int(h) for h, _ in pairs])
    score = np.array([float(s) for _, s in pairs])
    above = [(a > b) + (a == b) / 2 for a in score[happened == 1] for b in score[happened == 0]]
    if above:
        assert figures.auc(happened, score) == pytest.approx(np.mean(above))


def test_calibration():
    chance = np.repeat([0.1, 0.9], 50)
    happened = np.concatenate([np.repeat([1, 0], [10, 40]), np.repeat([1, 0], [45, 5])])
    assert figures.calibration_error(happened, chance, bins=2) == pytest.approx((0.1 + 0.0) / 2)


def test_platt_finds_the_line_back():
    chosen = np.random.default_rng(0)
    odds = chosen.normal(size=40_000)
    happened = (chosen.random(40_000) < 1 / (1 + np.exp(-(-1 + 2 * odds)))).astype(float)
    assert figures.platt(odds, happened) == pytest.approx((-1, 2), abs=0.06)


def test_the_bootstrap_draws_repositories_and_less_of_them_is_wider():
    chosen = np.random.default_rng(0)
    value = np.repeat(chosen.normal(size=100), 10)
    groups = np.repeat(np.arange(100), 10)

    def mean(rows):
        return float(value[rows].mean())

    low, high = figures.bootstrap(mean, groups, 300)
    assert low < value.mean() < high
    # As independent rows they would seem to tell √10 times as much.
    rows_low, rows_high = figures.bootstrap(mean, np.arange(1000), 300)
    assert high - low > 2 * (rows_high - rows_low)
    half = groups < 50
    halved = figures.bootstrap(lambda rows: float(value[half][rows].mean()), groups[half], 300)
    assert halved[1] - halved[0] > high - low


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return small_panel.write(tmp_path_factory.mktemp("panel") / "panel.parquet", small_panel.rows(120))


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "advisor", "backtest", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command(made, tmp_path):
    out = tmp_path / "forecasts.csv"
    done = run(
        "--panel", made, "--at", "2022-07-01", "--at", "2023-01-01", "--format", "json", "--predict", out
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [w["as_of"] for w in found["windows"]] == ["2022-07-01", "2023-01-01"]
    assert found["seen_in_training"] == 0
    pooled = found["pooled"]
    assert pooled["known"] == sum(w["known"] for w in found["windows"]) > 100
    for name in ("auc", "average_precision", "brier", "calibration_error"):
        assert 0 <= pooled["figures"][name]["low"] <= pooled["figures"][name]["high"] <= 1
    assert 0.5 < pooled["figures"]["auc"]["value"] <= 1
    assert set(found["baselines"]) >= {"days since last commit", "stars"}
    assert found["selection"]["pick"]["value"] <= found["selection"]["random"]["value"]
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["repository", "as_of", "probability_inactive"]
    assert len(rows) == sum(w["members"] for w in found["windows"])
    assert len({(r["repository"], r["as_of"]) for r in rows}) == len(rows)
    assert all(0 < float(r["probability_inactive"]) < 1 for r in rows)


def test_the_table_and_the_other_horizon(made):
    done = run("--panel", made, "--horizon", "24m", "--active-days", 120)
    assert done.returncode == 0
    assert "in the 24 months after the day" in done.stdout
    assert "best outlook" in done.stdout
    assert "o said, x came" in done.stdout


def test_of_four_libraries_there_is_no_group_of_five(tmp_path):
    few = small_panel.write(tmp_path / "panel.parquet", small_panel.rows(4))
    done = run("--panel", few, "--at", "2023-01-01")
    assert (done.returncode, "best outlook" in done.stdout) == (0, False), done.stderr
    assert "calibration error" in done.stdout


def test_a_panel_too_short_to_see_an_outcome():
    from advisor.answers.backtest.run import default_days

    short = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-06-01"])})
    with pytest.raises(InputError, match=r"2024-01-01 to 2024-06-01: too short .* 12 months later"):
        default_days(short, 12)


def test_forecasts_whose_outcome_is_to_come(made, tmp_path):
    out = tmp_path / "f.csv"
    done = run("--panel", made, "--at", "2024-11-01", "--predict", out)
    assert (done.returncode, "not in the panel" in done.stdout) == (0, True)
    assert len(out.read_text().splitlines()) > 30
    assert run("--panel", made, "--at", "2024-11-01").returncode == 2


@pytest.mark.parametrize(("arguments", "message"), [
    (["--at", "2022-13-01"], "YYYY-MM-DD"), (["--at", "1999-01-01"], "active"),
    (["--at", "2023-01-01", "--predict", "/dev/null/f.csv"], "--predict /dev/null/f.csv: "),
])  # fmt: skip
def test_wrong_input_is_one_line(made, arguments, message):
    done = run("--panel", made, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr


def test_the_model_can_be_trained_anew(made, tmp_path):
    """scripts/train_outlook.py on a small panel gives a file that the command reads."""
    from advisor.outlook import model

    out = tmp_path / "outlook.json"
    command = [sys.executable, ROOT / "scripts/train_outlook.py", made, "-o", out, "--rounds", "20"]
    done = subprocess.run(
        [*map(str, command), "--time", "2022-11-01"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "only what was known on 2022-11-01" in done.stdout
    trained = model.load(out)
    assert len(trained.folds) == 5
    assert trained.about["repositories"] == len(trained.trained_on) > 50


def test_what_limits_the_outlook_can_be_asked_again(made):
    """scripts/study_outlook.py: the plain models, fewer repositories, the missed stops."""
    command = [sys.executable, ROOT / "scripts/study_outlook.py", made, "--rounds", "10"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(", boosting 0." in line and ", logistic 0." in line for line in lines) == 4
    assert sum(" repositories: 0." in line for line in lines) == 4
    assert " of 57 repositories fell silent" in done.stdout
