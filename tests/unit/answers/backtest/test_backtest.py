"""The back-test: figures checked by hand, and the command on a small panel."""

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
OUTCOMES = np.array([0, 0, 1, 1])
SCORE = np.array([0.1, 0.4, 0.35, 0.8])


def test_figures_by_hand():
    # The first two are an example of scikit-learn's documentation.
    assert figures.auc(OUTCOMES, SCORE) == 0.75
    assert figures.average_precision(OUTCOMES, SCORE) == pytest.approx(0.8333333)
    assert figures.brier(OUTCOMES, SCORE) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert figures.wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_ties_count_half_and_one_class_is_undefined():
    assert figures.auc(np.array([0, 1, 1]), np.ones(3)) == 0.5
    assert np.isnan(figures.auc(np.ones(3), np.ones(3)))
    assert figures.average_precision(np.array([0, 1]), np.ones(2)) == 0.5


def test_figures_without_positive_outcomes_are_undefined():
    assert np.isnan(figures.average_precision(np.zeros(3), np.ones(3)))
    assert len(figures.calibration_table(OUTCOMES, SCORE, bins=9)) == 4, "no bin without a row"
    assert np.isnan(figures.bootstrap(lambda _: float("nan"), np.arange(3), 5)).all()


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=60))
def test_auc_is_the_share_of_pairs(pairs):
    outcomes = np.array([int(h) for h, _ in pairs])
    score = np.array([float(s) for _, s in pairs])
    above = [(a > b) + (a == b) / 2 for a in score[outcomes == 1] for b in score[outcomes == 0]]
    if above:
        assert figures.auc(outcomes, score) == pytest.approx(np.mean(above))


def test_calibration():
    chance = np.repeat([0.1, 0.9], 50)
    outcomes = np.concatenate([np.repeat([1, 0], [10, 40]), np.repeat([1, 0], [45, 5])])
    assert figures.calibration_error(outcomes, chance, bins=2) == pytest.approx((0.1 + 0.0) / 2)


def test_platt_recovers_the_line():
    generator = np.random.default_rng(0)
    odds = generator.normal(size=40_000)
    outcomes = (generator.random(40_000) < 1 / (1 + np.exp(-(-1 + 2 * odds)))).astype(float)
    assert figures.platt(odds, outcomes) == pytest.approx((-1, 2), abs=0.06)


def test_the_bootstrap_samples_repositories_and_fewer_of_them_give_a_wider_interval():
    generator = np.random.default_rng(0)
    value = np.repeat(generator.normal(size=100), 10)
    groups = np.repeat(np.arange(100), 10)

    def mean(rows):
        return float(value[rows].mean())

    low, high = figures.bootstrap(mean, groups, 300)
    assert low < value.mean() < high
    # As independent rows they would seem to have √10 times as much information.
    rows_low, rows_high = figures.bootstrap(mean, np.arange(1000), 300)
    assert high - low > 2 * (rows_high - rows_low)
    half = groups < 50
    half_width = figures.bootstrap(lambda rows: float(value[half][rows].mean()), groups[half], 300)
    assert half_width[1] - half_width[0] > high - low


@pytest.fixture(scope="module")
def panel_file(tmp_path_factory):
    return small_panel.write(tmp_path_factory.mktemp("panel") / "panel.parquet", small_panel.rows(120))


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "advisor", "backtest", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command(panel_file, tmp_path):
    out = tmp_path / "forecasts.csv"
    process = run(
        "--panel",
        panel_file,
        "--at",
        "2022-07-01",
        "--at",
        "2023-01-01",
        "--format",
        "json",
        "--predict",
        out,
    )
    assert (process.returncode, process.stderr) == (0, "")
    answer = json.loads(process.stdout)
    assert [w["as_of"] for w in answer["windows"]] == ["2022-07-01", "2023-01-01"]
    assert answer["seen_in_training"] == 0
    all_windows = answer["pooled"]
    assert all_windows["known"] == sum(w["known"] for w in answer["windows"]) > 100
    for name in ("auc", "average_precision", "brier", "calibration_error"):
        assert 0 <= all_windows["figures"][name]["low"] <= all_windows["figures"][name]["high"] <= 1
    assert 0.5 < all_windows["figures"]["auc"]["value"] <= 1
    assert set(answer["baselines"]) >= {"days since last commit", "stars"}
    assert answer["selection"]["pick"]["value"] <= answer["selection"]["random"]["value"]
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["repository", "as_of", "probability_inactive"]
    assert len(rows) == sum(w["members"] for w in answer["windows"])
    assert len({(r["repository"], r["as_of"]) for r in rows}) == len(rows)
    assert all(0 < float(r["probability_inactive"]) < 1 for r in rows)


def test_the_table_and_the_other_horizon(panel_file):
    process = run("--panel", panel_file, "--horizon", "24m", "--active-days", 120)
    assert process.returncode == 0
    assert (
        "Abandoned 24 months later: no commit on the default branch in the 365 days before" in process.stdout
    )
    assert "best outlook" in process.stdout
    assert "o forecast, x outcome" in process.stdout


def test_four_libraries_make_no_group_of_five(tmp_path):
    few = small_panel.write(tmp_path / "panel.parquet", small_panel.rows(4))
    process = run("--panel", few, "--at", "2023-01-01")
    assert (process.returncode, "best outlook" in process.stdout) == (0, False), process.stderr
    assert "Brier" in process.stdout and "o forecast, x outcome" in process.stdout


def test_the_error_of_a_panel_that_is_too_short_for_an_outcome():
    from advisor.answers.backtest.run import default_days

    short = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-06-01"])})
    with pytest.raises(InputError, match=r"2024-01-01 to 2024-06-01: too short for outcomes 12 months later"):
        default_days(short, 12)


def test_forecasts_without_a_known_outcome(panel_file, tmp_path):
    out = tmp_path / "f.csv"
    process = run("--panel", panel_file, "--at", "2024-11-01", "--predict", out)
    assert (process.returncode, "the panel does not contain their outcomes" in process.stdout) == (0, True)
    assert len(out.read_text().splitlines()) > 30
    assert run("--panel", panel_file, "--at", "2024-11-01").returncode == 2


@pytest.mark.parametrize(("arguments", "message"), [
    (["--at", "2022-13-01"], "YYYY-MM-DD"), (["--at", "1999-01-01"], "active"),
    (["--at", "2023-01-01", "--predict", "/dev/null/f.csv"], "/dev/null/f.csv cannot be written: "),
])  # fmt: skip
def test_wrong_input_prints_one_line(panel_file, arguments, message):
    process = run("--panel", panel_file, *arguments)
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert message in process.stderr


def test_a_split_of_ones_own_is_trained_and_judged(panel_file, tmp_path):
    """scripts/train_outlook.py never learns from what is left out; the back-test judges it on nothing else."""
    from advisor.outlook import model

    names = sorted(set(small_panel.rows(120).repo))
    unseen = tmp_path / "unseen.txt"
    unseen.write_text("# every second one\n" + "".join(f"{name}\n" for name in names[::2]))
    out = tmp_path / "outlook.json"
    command = [sys.executable, ROOT / "scripts/train_outlook.py", panel_file, "-o", out, "--rounds", "5",
               "--leave-out", unseen, "--until", "2024-03-01"]  # fmt: skip
    process = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    for outcome in (model.ABANDONMENT, model.COLLAPSE):
        assert f"{outcome}, 12 months, other repositories" in process.stdout
        new_model = model.load_model(out, outcome)
        assert len(new_model.folds) == 5
        assert new_model.about["repositories"] == len(new_model.trained_on) > 25
        assert not {model.digest(name) for name in names[::2]} & new_model.trained_on
        assert new_model.about["last_day"] <= "2023-03-21", "the label of 2023-03-01 is from 2024-03-01"
    judged = run("--panel", panel_file, "--outlook", out, "--only", unseen, "--at", "2023-06-01",
                 "--format", "json")  # fmt: skip
    answer = json.loads(judged.stdout)
    assert (answer["seen_in_training"], answer["outcome"]) == (0, "abandoned")
    assert 0 < answer["repositories"] <= len(names[::2])
    collapsed = run("--panel", panel_file, "--outlook", out, "--outcome", "collapsed", "--at", "2023-06-01")
    assert "Collapsed 12 months later: in the year before that day, less than a fifth" in collapsed.stdout


@pytest.mark.parametrize(("text", "message"), [
    ("owner0/lib0\nnobody/none\n", "unseen.txt: the panel has no rows of nobody/none; a renamed"),
    ("lib0\n", "unseen.txt, line 1: 'lib0' is no repository: expected owner/name"),
    (None, "unseen.txt cannot be read: no such file or directory"),
])  # fmt: skip
def test_a_wrong_list_of_repositories_is_one_line(panel_file, tmp_path, text, message):
    names = tmp_path / "unseen.txt"
    if text is not None:
        names.write_text(text)
    process = run("--panel", panel_file, "--at", "2023-01-01", "--only", names)
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert message in process.stderr
    for script in ("train_outlook.py", "fit_weights.py"):  # they would learn from what has another name
        command = [
            sys.executable,
            ROOT / "scripts" / script,
            panel_file,
            "-o",
            tmp_path / "o.json",
            "--leave-out",
            names,
        ]
        process = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert process.returncode == 1
        assert message in process.stderr
        assert "Traceback" not in process.stderr


def test_the_study_script_prints_its_results(panel_file):
    """scripts/study_outlook.py: the plain models, fewer repositories, the missed stops."""
    command = [sys.executable, ROOT / "scripts/study_outlook.py", panel_file, "--rounds", "10"]
    process = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert sum(", boosting 0." in line and ", logistic 0." in line for line in lines) == 4
    assert sum(" repositories: 0." in line for line in lines) == 4
    assert " of 66 repositories were abandoned" in process.stdout
