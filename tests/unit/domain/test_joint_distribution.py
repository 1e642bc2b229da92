"""The joint distribution: its file is checked, and its script finds a distribution that generated the rows."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_panel

from advisor.domain.joint_distribution import JOINT_DISTRIBUTION_FILE, load_joint_distribution
from advisor.errors import ConfigError
from advisor.outlook import panel

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        import fit_joint_distribution

        yield fit_joint_distribution
        sys.modules.pop("fit_joint_distribution")


def _content():
    return json.loads((ROOT / "data" / JOINT_DISTRIBUTION_FILE).read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["metrics"]["stars"]["values"].reverse(), "not in ascending order"),
        (lambda c: c["metrics"]["stars"]["values"].pop(), "one value for each knot"),
        (lambda c: c["covariance"].pop(), "one row and one column"),
        (lambda c: c["covariance"][0].pop(), "one row and one column"),
        (lambda c: c.pop("points"), "points"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, message):
    content = _content()
    change(content)
    (tmp_path / "reference").mkdir()
    (tmp_path / JOINT_DISTRIBUTION_FILE).write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message):
        load_joint_distribution(tmp_path)


def test_without_a_file_there_is_no_distribution(tmp_path):
    assert load_joint_distribution(tmp_path) is None


def test_the_fit_finds_the_distribution_of_the_rows(script, monkeypatch):
    """Two metrics of a panel, a third only of a few, biased libraries; 30 % of all values are blank."""
    random = np.random.default_rng(3)
    truth = np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.2], [0.5, 0.2, 1.0]])

    def rows(count, shift):
        places = random.multivariate_normal([0, 0, 0], truth, count)
        # The libraries of the snapshots are popular: chosen by the first metric, which takes the others along.
        places = places[places[:, 0] > shift] if shift else places
        table = pd.DataFrame(places, columns=["a", "b", "c"])
        blank = pd.DataFrame(random.random(table.shape) < 0.3, columns=table.columns)
        blank["a"] &= shift is None  # what the libraries were chosen by is known
        table = table.mask(blank)
        return table.assign(repository=[f"o/{i}" for i in range(len(table))], weight=1.0)

    of_panel = rows(3000, None)
    of_panel["c"] = np.nan
    of_snapshots = rows(3000, 0.5)

    def correlations(content):
        covariance = np.array(content["covariance"])
        deviations = np.sqrt(np.diag(covariance))
        return covariance / np.outer(deviations, deviations)

    cautious = correlations(script.fit(of_panel, of_snapshots, {}))
    monkeypatch.setattr(script, "RIDGE", 0.0)
    content = script.fit(of_panel, of_snapshots, {})
    correlation = correlations(content)
    assert 0 < cautious[0, 2] < correlation[0, 2]
    assert correlation[0, 1] == pytest.approx(0.7, abs=0.05)
    assert correlation[0, 2] == pytest.approx(0.5, abs=0.12)
    # The average library has a lower third metric than the popular ones, whose median is at 0.
    assert content["metrics"]["c"]["mean"] < -0.3
    assert abs(content["metrics"]["a"]["mean"]) < 0.1


def test_the_rows_of_the_panel_are_those_of_libraries_with_a_commit_in_the_year(script, tmp_path):
    file = small_panel.write(tmp_path / "panel.parquet", small_panel.rows(60))
    table = script.panel_rows(panel.read_panel(file), date(2023, 1, 1), ["age_days", "stars", "contributors"])
    assert table.columns.tolist() == ["age_days", "stars", "contributors", "repository", "weight"]
    assert 20 < len(table) < 60
    assert table.stars.notna().all()
    assert table.contributors.isna().all(), "a year's contributors are not in the lists"
    assert (table.weight == 1).all()


def test_a_place_is_the_middle_of_equal_quantiles(script):
    quantiles = [0.0, 0.0, 0.0, *range(1, 15)]
    places = script._places(np.array([0.0, 1.0, 13.5, 99.0, np.nan]), quantiles)
    assert places[:4] == pytest.approx([-2.1, -1.5, 2.25, 2.4])
    assert np.isnan(places[4])
