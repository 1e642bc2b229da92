"""The back-test of scores: concordance by hand, weights that are fitted and judged on a split, bands of scores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_panel

from advisor import recommend
from advisor.answers.backtest import ranking
from advisor.decide.flips import value_at
from advisor.decide.utilities import utility
from advisor.domain import reliability
from advisor.domain.domain import Scale, available_domains, load_domain
from advisor.errors import InputError
from advisor.report.record import describe_record, describe_weights

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "scripts"))


def run(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )  # fmt: skip


def members(*categories):
    return pd.DataFrame({"as_of": pd.Timestamp(2024, 1, 1), "category": list(categories)})


def test_concordance_is_the_share_of_pairs_ordered_rightly():
    table = members("a", "a", "a", "b", "b", "b", "c", "c", "other tools", "other tools", "other tools")
    rivals = ranking.find_rivals(table, np.ones(len(table), dtype=bool))
    assert [name for name, _ in rivals] == ["a", "b"], "two are no field, and a rest is none"
    outcome = np.array([1, 0, 0, 1, 1, np.nan, 0, 1, 0, 1, 0.0])
    scores = {"good": np.array([3, 2, 3, 1, 1, 0, 0, 0, 0, 0, 0.0]), "bad": -np.arange(11.0)}
    result = ranking.compare_scores(rivals, scores, outcome, "bad")
    # Pairs: the first of "a" against the two others. Good: one higher, one equal; bad: both higher.
    assert (result["good"].value, result["good"].pairs, result["good"].gain) == (0.75, 2, -0.25)
    assert (result["bad"].value, result["bad"].gain, result["bad"].gain_high) == (1, 0, 0)
    assert ranking.compare_scores(rivals, scores, np.ones(11), "bad") == {}


def test_outcomes_are_those_of_two_years_later():
    days = pd.to_datetime(["2022-01-01", "2023-01-01", "2024-01-01"])
    counts = {
        "commits": [[100, 150, 200], [100, 150, 152]], "contributors": [[7, 9, 17], [9, 9, 7]],
        "closed_issues": [[10, 10, 28], [5, 5, 5]], "open_issues": [[2, 3, 4], [1, 1, 1]],
        "downloads": [[100, 900, 300], [99, 99, 99]],
    }  # fmt: skip
    series = pd.concat(
        pd.DataFrame({
            "repository": name, "day": days, "last_commit": [days[0], days[1], last],
            **{column: [float(x) for x in both[i]] for column, both in counts.items()},
        })
        for i, (name, last) in enumerate((("a/busy", "2023-12-20"), ("b/quiet", "2022-12-20")))
    )  # fmt: skip
    series["last_commit"] = pd.to_datetime(series.last_commit)
    both = pd.DataFrame({"repository": ["a/busy", "b/quiet"], "as_of": days[0], "day": days[0],
                         "last_commit": days[0]})  # fmt: skip
    values = pd.DataFrame({
        "commits_a_month_400": [4.0, 4.0],
        **{column: [float(rows[0][0]), float(rows[1][0])] for column, rows in counts.items()},
    })  # fmt: skip
    outcomes = ranking.read_outcomes(series, both, values)
    assert outcomes["alive"].tolist() == [1.0, 0.0]
    assert outcomes["kept up"].tolist() == [1.0, 0.0], "two commits in the second year are too few"
    assert outcomes["downloads gained"].tolist() == pytest.approx([np.log(2), np.nan], nan_ok=True)
    assert outcomes["newcomers gained"].tolist() == pytest.approx([np.log(2), np.nan], nan_ok=True)
    assert outcomes["issues answered"].tolist() == pytest.approx([18 / 20, np.nan], nan_ok=True)


def test_the_fit_finds_the_criterion_that_decides():
    import fit_weights

    chance = np.random.default_rng(0)
    inputs = chance.random((300, 3))
    outcome = inputs[:, 0] * 3 + inputs[:, 1] - inputs[:, 2] + chance.normal(0, 0.3, 300)
    rivals = [("a", np.arange(100)), ("b", np.arange(100, 300))]
    weights = fit_weights.fit(rivals, inputs, outcome)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] == pytest.approx(0.75, abs=0.05)
    assert weights[2] == 0, "less of it is better, and no weight is below 0"


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("split")
    panel_file = small_panel.write(folder / "panel.parquet", small_panel.rows(120))
    names = sorted(set(small_panel.rows(120).repo))
    unseen = folder / "unseen.txt"
    unseen.write_text("\n".join(names[::2]))
    weights = folder / "weights.json"
    process = run(ROOT / "scripts/fit_weights.py", panel_file, "-o", weights, "--leave-out", unseen,
                  "--until", "2024-06-01")  # fmt: skip
    assert process.returncode == 0, process.stderr
    return panel_file, unseen, weights


def test_fitted_weights_are_judged_on_what_they_never_saw(split):
    panel_file, unseen, weights = split
    fitted = json.loads(weights.read_text())
    for outcome in ranking.OUTCOMES:
        assert sum(fitted["outcomes"][outcome].values()) == pytest.approx(1, abs=1e-3)
    process = run("-m", "advisor", "backtest", "--panel", panel_file, "--weights", weights, "--only", unseen,
                  "--at", "2022-11-01")  # fmt: skip
    assert (process.returncode, process.stdout) == (2, "")
    assert "learned from rows up to 2024-06-01" in process.stderr
    changed = json.loads(weights.read_text())
    changed["about"]["until"] = "2022-11-01"
    early = weights.with_name("early.json")
    early.write_text(json.dumps(changed))
    process = run("-m", "advisor", "backtest", "--panel", panel_file, "--weights", early, "--only", unseen,
                  "--at", "2022-11-01")  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "repositories of which the weights had learned nothing, 2022-11-01 to 2022-11-01" in process.stdout
    assert "alive, " in process.stdout and "most stars" in process.stdout
    seen = run("-m", "advisor", "backtest", "--panel", panel_file, "--weights", early, "--at", "2022-11-01")
    assert (seen.returncode, seen.stdout) == (2, "")
    assert "the weights were learned from " in seen.stderr


@pytest.mark.parametrize("text", ["no json", "{}", '{"format": 0}', '{"format": 1, "outcomes": {}}'])
def test_a_file_that_has_no_weights_is_an_error(tmp_path, text):
    path = tmp_path / "weights.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"cannot read the weights .*weights\.json: "):
        ranking.read_weights(path)


def test_a_logit_scale_is_even_in_odds_and_has_an_inverse():
    scale = Scale(metric="m", weight=1, worst=0.5, best=0.01, curve="logit", source="test")
    assert [utility(scale, x) for x in (0.0, 0.01, 0.5, 1.0)] == [1, 1, 0, 0]
    middle = 1 / (1 + 99**0.5)  # odds of 1 and of 1 to 99
    assert utility(scale, middle) == pytest.approx(0.5)
    assert value_at(scale, 0.5) == pytest.approx(middle)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Scale(metric="m", weight=1, worst=1, best=0.01, curve="logit", source="test")


def test_bands_never_rise_and_neighbours_in_the_wrong_order_are_one():
    import measure_reliability

    scores = np.arange(1200.0)
    abandoned = (
        np.arange(1200) % 100 < np.repeat([90, 70, 80, 50, 40, 30, 25, 20, 15, 10, 5, 5], 100)
    ).astype(float)
    bands = measure_reliability.merge_bands(scores, abandoned, np.arange(1200).astype(str))
    assert [b["share"] for b in bands] == [0.9, 0.75, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05]
    assert (bands[1]["lowest"], bands[1]["highest"], bands[1]["n"]) == (100, 299, 200)
    assert all(b["low"] < b["share"] < b["high"] for b in bands)


def test_a_share_of_abandoned_libraries_is_a_line():
    bands = reliability.read_bands()
    shares = [b.share for b in bands]
    assert len(bands) > 5 and shares == sorted(shares, reverse=True)
    assert all(b.low <= b.share <= b.high for b in bands)
    line = reliability.parse_line("5% abandoned")
    assert reliability.band_of(line, bands).share <= 0.05 < reliability.band_of(line - 0.1, bands).share
    assert reliability.parse_line("100 % abandoned") == bands[0].lowest
    assert reliability.parse_line("40.5") == 40.5
    assert reliability.band_of(-1, bands) == bands[0] and reliability.band_of(100, bands) == bands[-1]


@pytest.mark.parametrize(("text", "message"), [
    ("soon", "invalid value 'soon' for --fail-under: expected a score from 0 to 100, or for example"),
    ("101", "invalid value '101'"), ("nan", "invalid value 'nan'"), ("-5% abandoned", "invalid value"),
    ("0.1% abandoned", "no score is so high that at most 0.1% were abandoned"),
])  # fmt: skip
def test_a_wrong_line_says_what_is_expected(text, message):
    with pytest.raises(InputError) as raised:
        reliability.parse_line(text)
    assert str(raised.value).startswith(message)


def test_the_record_is_of_these_weights_only():
    goal = load_domain("web-frameworks").goals["long-lived"]
    text = describe_record(goal.weights, goal.outcomes)
    record = json.loads((ROOT / "data/reference/record.json").read_text())
    ours, stars = (
        100 * record["outcomes"]["alive"][name]["value"] for name in ("goal long-lived", "most stars")
    )
    assert f"these weights ordered {ours:.0f} (alive) of 100 pairs rightly" in text
    assert text.endswith(f"the number of stars {stars:.0f}")
    assert describe_record({**goal.weights, "activity": 30.0}, goal.outcomes) is None
    assert describe_record({"contributors": 0.5, "issues": 0.5}, ("alive",)) is None
    assert describe_record({"backing": 1.0}, ("alive",)) is None


def test_a_report_says_who_chose_its_weights():
    answer = recommend("web-frameworks", goal="long-lived", repositories=["flask", "falcon"])
    outcomes, experts, record = describe_weights(answer)
    assert outcomes.startswith(
        "chosen by what became of libraries two years later: alive (not abandoned); contr"
    )
    assert (experts, record[:8]) == ("chosen by an expert: backing 15%", "record: ")
    own = recommend("web-frameworks", repositories=["flask", "falcon"], weights={"activity": 90})
    assert [s[:34] for s in describe_weights(own)] == ["chosen by an expert or by you: con"]


@pytest.mark.parametrize("name", available_domains())
def test_the_weights_of_a_domain_are_those_that_were_judged(name):
    domain = load_domain(name)
    judged = [goal for goal in domain.goals.values() if goal.outcomes]
    assert domain.goals[domain.default_goal] in judged
    for goal in judged:
        assert sum(goal.weights.values()) == pytest.approx(100)
        assert "these weights ordered" in describe_record(goal.weights, goal.outcomes)
    weights = json.loads((ROOT / "data/reference/weights.json").read_text())
    assert set(weights["outcomes"]) >= set(ranking.OUTCOMES)
    assert (
        weights["about"]["until"] <= json.loads((ROOT / "data/reference/record.json").read_text())["days"][0]
    )
