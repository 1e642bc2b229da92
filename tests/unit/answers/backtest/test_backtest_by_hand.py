"""The back-test on synthetic libraries, so that each figure can be computed by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import small_panel

from advisor.answers.backtest import figures, run
from advisor.answers.backtest.run import Backtest, Figure, Window, backtest, default_days, forecast
from advisor.answers.backtest.selection import Selection, Share, select
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.outlook import model, panel
from advisor.report import backtest as report
from advisor.report.formats import Format

DAY, LATE = pd.Timestamp(2022, 1, 1), pd.Timestamp(2023, 6, 1)
SHIPPED = model.load_model(data_folder() / "reference" / "outlook.json")


def world(*libraries, day=DAY, later="2024-01-05"):
    """Series, members and features of libraries given as (name, category, is dead later, chance, features)."""
    rows, members, values = [], [], []
    for name, category, dead, chance, features in libraries:
        keys = {"repository": name, "category": category}
        rows.append({**keys, "day": day, "last_commit": pd.Timestamp(2021, 12, 20)})
        if dead is not None:
            for at, commit in (("2023-01-15", "2022-12-28"), (later, "2023-12-28")):
                last = pd.Timestamp("2021-12-20" if dead else commit)
                rows.append({**keys, "day": pd.Timestamp(at), "last_commit": last})
        members.append({**keys, "as_of": day, "last_commit": pd.Timestamp(2021, 12, 20),
                        "probability_inactive": chance})  # fmt: skip
        values.append({"stars": 1.0, "idle_days": 5.0, **features})
    return pd.DataFrame(rows), pd.DataFrame(members), pd.DataFrame(values)


def forty():
    """Ten of forty stop. The forecast is high for eight of these and for two others; each signal differs."""
    libraries = []
    for k in range(40):
        stops, loud = k < 10, k < 8 or k in (10, 11)
        releases = (np.nan if k < 5 else 0.0) if stops else 2.0 if k < 25 else 4.0
        libraries.append((f"a/lib{k}", f"c{k // 4}", stops, 0.9 if loud else 0.1, {
            "idle_days": 10.0 if stops else 5.0, "commits_a_month_200": 1.0 if stops else 9.0,
            "contributors": 7.0, "downloads": np.nan, "releases": releases, "stars": 9.0 if stops else 1.0,
            "open_issue_share": 0.9 if stops else 0.1}))  # fmt: skip
    return libraries


@pytest.fixture(scope="module")
def run_of_forty():
    steps = []
    series, members, values = world(*forty())
    _, unknown, extreme = world(("a/lib0", "c0", None, 0.9, {"idle_days": 0.0, "stars": -5.0}), day=LATE)
    trained_on = frozenset(map(model.digest, ("a/lib0", "a/lib1", "A/LIB2", "a/lib99")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "DRAWS", 40)
        return steps, backtest(
            series, pd.concat([members, unknown], ignore_index=True),
            pd.concat([values, extreme], ignore_index=True), replace(SHIPPED, trained_on=trained_on), 12, 90,
            report_step=steps.append,
        )  # fmt: skip


def test_the_figures_of_forty_forecasts(run_of_forty):
    _, back = run_of_forty
    first, late = back.windows
    assert (first.as_of, first.members, first.known, first.inactive) == (date(2022, 1, 1), 40, 40, 0.25)
    assert (late.as_of, late.members, late.known, dict(late.figures)) == (date(2023, 6, 1), 1, 0, {})
    assert np.isnan(late.inactive)
    together = back.pooled
    assert (together.as_of, together.members, together.known, together.inactive) == (None, 41, 40, 0.25)
    assert together.figures == first.figures, "an unknown outcome counts nowhere"
    assert {name: figure.value for name, figure in together.figures.items()} == pytest.approx({
        "auc": (8 + 8 * 28 + 2 * 28 / 2) / 300,
        "average_precision": 0.8 * 0.8 + 10 / 40 * 0.2,
        "brier": (36 * 0.01 + 4 * 0.81) / 40,
        "calibration_error": (0.4 + 6 * 0.1 + 0 + 0.1 + 0.4) / 10,
    })  # fmt: skip
    for figure in together.figures.values():
        assert figure.low < figure.value < figure.high
    assert back.calibration[-1] == pytest.approx(
        {"n": 4, "predicted": 0.9, "observed": 0.5, "low": 0.15, "high": 0.85}, abs=1e-3
    )
    assert [row["n"] for row in back.calibration] == [4] * 10


def test_repositories_of_the_training_data_are_counted(run_of_forty):
    steps, back = run_of_forty
    assert (back.horizon_months, back.active_days) == (12, 90)
    assert (back.repositories, back.seen_in_training) == (40, 3)
    assert back.selection is None, "no five of one category"
    assert steps == ["window 2022-01-01", "window 2023-06-01", "all windows together", "single signals",
                    "the value of choosing"]  # fmt: skip


def test_single_signals_have_the_right_direction_and_a_blank_gets_the_median(run_of_forty):
    baselines = {name: figure.value for name, figure in run_of_forty[1].baselines.items()}
    # releases: the median known is 2; five that stopped have 0, and five are blank, so tie with fifteen.
    assert baselines == pytest.approx({
        "days since last commit": 1, "commits a month": 1, "contributors": 0.5, "downloads": 0.5,
        "releases": (5 * 30 + 5 * (15 + 15 / 2)) / 300, "stars": 0, "open issues over all": 1,
    })  # fmt: skip
    assert run_of_forty[1].baselines["contributors"] == Figure(0.5, 0.5, 0.5)


@pytest.mark.parametrize(("members", "has_figures"), [
    (slice(0, 30), True), (slice(0, 29), False),  # too few with a known outcome
    (slice(9, 39), True),  # one of them stopped
    (slice(10, 40), False),  # none of them stopped
])  # fmt: skip
def test_a_window_with_few_members_or_one_outcome_has_no_figures(monkeypatch, members, has_figures):
    monkeypatch.setattr(run, "DRAWS", 2)
    series, everybody, values = world(*forty())
    back = backtest(series, everybody[members].reset_index(drop=True),
                    values[members].reset_index(drop=True), SHIPPED, 12, 90)  # fmt: skip
    assert [bool(w.figures) for w in (*back.windows, back.pooled)] == [has_figures, has_figures]


def test_a_panel_that_ends_too_early_raises():
    with pytest.raises(InputError) as raised:
        backtest(*world(*forty()), SHIPPED, 36, 90)
    assert str(raised.value) == "the panel ends too early: it has no outcome 36 months after any of the days"


def test_default_days_are_first_days_of_quarters_with_an_outcome():
    def days(first, last, months=12):
        return default_days(pd.DataFrame({"day": pd.to_datetime([last, first])}), months)

    quarters = [date(2021, 4, 1), date(2021, 7, 1), date(2021, 10, 1)]
    # From 62 days after the first row to the 20th day after the last less twelve months.
    assert days("2021-01-29", "2022-09-11") == quarters
    assert days("2021-01-30", "2022-09-10") == quarters[1:2]
    assert days("2021-01-29", "2023-09-11", months=24) == quarters
    with pytest.raises(InputError) as raised:
        days("2021-01-29", "2021-06-30")
    assert str(raised.value) == (
        "the panel runs from 2021-01-29 to 2021-06-30: too short for outcomes 12 months later; "
        "use a longer panel"
    )


def test_forecasts_cover_the_active_repositories_of_each_day(tmp_path):
    series = panel.read_panel(small_panel.write(tmp_path / "p.parquet", small_panel.rows(12)))
    leaf = (model.Tree((-1,), (0.0,), (-1,), (-1,), (0,), (0.5,), (1,)),)
    lines = {12: model.Calibration(-2.0, 2.0, ()), 24: model.Calibration(-1.0, 2.0, ())}
    trees = replace(SHIPPED, folds=(leaf,) * 5, calibrations=lines)
    days = [date(2022, 1, 1), date(2023, 1, 1)]
    members, values = forecast(series, days, 24, 20, trees)
    pairs = [(name, day) for day in days for name in panel.select_cohort(series, day, 20).repository]
    assert list(zip(members.repository, members.as_of.dt.date, strict=True)) == pairs
    assert members.index.tolist() == values.index.tolist() == list(range(len(pairs)))
    assert len(pairs) < sum(len(panel.select_cohort(series, day, 90)) for day in days)
    assert members.probability_inactive.tolist() == [0.5] * len(pairs)  # -1 + 2 · 0.5 = 0
    in_a_year = forecast(series, days, 12, 20, trees)[0].probability_inactive
    assert in_a_year.tolist() == pytest.approx([1 / (1 + np.exp(1))] * len(pairs))
    with pytest.raises(InputError) as raised:
        forecast(series, [date(1999, 1, 1), date(1999, 2, 1)], 12, 20, trees)
    assert str(raised.value) == (
        "no repository of the panel was active (last commit at most 20 days old) on 1999-01-01, 1999-02-01"
    )


def test_the_value_of_a_choice():
    """All fifteen of one category die, and one of five of another: three quarters of the groups are of the first."""
    five = [("b/0", "b", True, 0.9, {"stars": 9.0, "idle_days": 8.0})]
    five += [(f"b/{k}", "b", False, 0.2, {"stars": np.nan}) for k in range(1, 5)]
    never = [(f"c/{k}", "c", True, 0.1, {}) for k in range(4)]  # only four
    never += [(f"d/{k}", "d", None if k == 4 else True, 0.1, {}) for k in range(5)]  # an unknown outcome
    all_die = [(f"a/{k}", "a", True, 0.5, {}) for k in range(15)]
    worth = select(*world(*never, *five, *all_die))
    assert (worth.months, worth.groups) == (24, 2000)
    assert worth.pick.value == worth.last_committed.value == pytest.approx(0.75, abs=0.05)
    assert worth.random.value == pytest.approx(0.2 + 0.8 * worth.pick.value)
    # Of two categories drawn again, both may be the one or the other.
    assert (worth.pick.low, worth.pick.high) == (0, 1)
    assert (worth.last_committed.low, worth.last_committed.high) == (0, 1)
    assert (worth.random.low, worth.random.high) == pytest.approx((0.2, 1))
    assert worth.most_starred == Share(1, 1, 1)


def test_unknown_stars_count_as_fewest_and_each_choice_has_its_own_signal():
    best = ("b/0", "b", False, 0.1, {"stars": np.nan, "idle_days": 9.0})
    popular = ("b/1", "b", True, 0.9, {"stars": 0.5, "idle_days": 8.0})
    others = [(f"b/{k}", "b", True, 0.5, {"stars": 0.2}) for k in range(2, 5)]
    worth = select(*world(best, popular, *others))
    shares = [s.value for s in (worth.pick, worth.random, worth.most_starred, worth.last_committed)]
    assert shares == pytest.approx([0, 0.8, 1, 1])
    assert select(*world(best, popular, *others[:2])) is None
    # Three on one day and two on another make no group of five.
    series, members, values = world(best, popular, *others)
    members["as_of"] = [DAY, DAY, DAY, pd.Timestamp(2021, 12, 31), pd.Timestamp(2021, 12, 31)]
    assert select(series, members, values) is None


def test_edges_of_the_figures():
    outcomes, chance = np.array([1, 0, 1]), np.array([2.0, 1.0, 0.0])
    assert figures.average_precision(outcomes, chance) == pytest.approx((1 + 2 / 3) / 2)
    assert figures.calibration_table(outcomes[:2], chance[:2], bins=3) == [
        {"n": 1, "predicted": p, "observed": o, "low": pytest.approx(low), "high": pytest.approx(high)}
        for p, o, (low, high) in ((1, 0, figures.wilson(0, 1)), (2, 1, figures.wilson(1, 1)))
    ]
    assert figures.wilson(0, 1) == pytest.approx((0, 0.7935), abs=1e-4)
    assert figures.wilson(1, 1) == pytest.approx((0.2065, 1), abs=1e-4)


BACK = Backtest(
    outcome="abandoned", horizon_months=12, active_days=90, repositories=7, seen_in_training=3,
    windows=(Window(date(2022, 1, 1), 9, 0, float("nan"), {"auc": Figure(float("nan"), 0, 1)}),),
    pooled=Window(None, 10, 10, 0.4, {
        "auc": Figure(0.75, 0.5, 1.0), "average_precision": Figure(0.6, 0.51, 0.69),
        "brier": Figure(0.1, 0.05, 0.15), "calibration_error": Figure(0.05, 0.01, 0.09)}),
    baselines={"stars": Figure(0.5, 0.4, 0.6), "releases": Figure(float("nan"), 0, 1)},
    calibration=({"n": 4, "predicted": 0.1, "observed": 0.0, "low": 0.0, "high": 0.5},
                 {"n": 6, "predicted": 0.5, "observed": 0.4, "low": 0.2, "high": 0.8}),
    selection=Selection(24, 2000, Share(0.1, 0.05, 0.15), Share(0.2, 0.15, 0.25), Share(0.3, 0.25, 0.35),
                        Share(0.4, 0.35, 0.45)),
)  # fmt: skip
CHOOSING = """\
2000 random groups of five libraries of the same category and day. Abandoned: no commit in the 365 days before the day 24 months later.
choice                   abandoned
best outlook    10.0% [5.0%–15.0%]
random member  20.0% [15.0%–25.0%]
most stars     30.0% [25.0%–35.0%]
latest commit  40.0% [35.0%–45.0%]

"""
TABLE = f"""\
Abandoned 12 months later: no commit on the default branch in the 365 days before that day. Active: the last commit is at most 90 days old.
7 repositories; 3 of them were in the training data, and trees that did not see them score them.

                    outcome
day         active    known  abandoned                  AUC    average precision
2022-01-01       9        0          ?                    ?                    ?
all             10       10      40.0%  0.750 [0.500–1.000]  0.600 [0.510–0.690]

day                       Brier    calibration error
2022-01-01                    ?                    ?
all         0.100 [0.050–0.150]  0.050 [0.010–0.090]

AUC of               all days
outlook   0.750 [0.500–1.000]
stars     0.500 [0.400–0.600]
releases                    ?

forecasts  forecast  outcome     interval  o forecast, x outcome, 0 to 80%
4             10.0%     0.0%   0.0%–50.0%  |x---o{"-" * 15}{" " * 12}|
6             50.0%    40.0%  20.0%–80.0%  |{" " * 8}{"-" * 8}x--o{"-" * 12}|

{CHOOSING}[a–b]: 95 % bootstrap interval over repositories (for the groups: over categories and days).
"""


def test_the_track_record_as_a_table():
    assert report.render(BACK, Format.table) == TABLE
    assert report.render(replace(BACK, selection=None), Format.table) == TABLE.replace(CHOOSING, "")


def test_an_undefined_figure_is_null_in_json():
    text = report.render(replace(BACK, baselines={"stars": Figure(0.12345678, 0.1, 1.0)}), Format.json)
    assert ' "outcome": "abandoned",\n "horizon_months": 12,\n' in text and text.endswith("}\n")
    back = json.loads(text)
    assert back["windows"][0] == {
        "as_of": "2022-01-01", "members": 9, "known": 0, "inactive": None,
        "figures": {"auc": {"value": None, "low": 0, "high": 1}},
    }  # fmt: skip
    assert back["pooled"]["as_of"] is None
    assert back["baselines"] == {"stars": {"value": 0.12345678, "low": 0.1, "high": 1.0}}
    assert back["selection"]["pick"] == {"value": 0.1, "low": 0.05, "high": 0.15}


def test_forecasts_are_ordered_by_day_and_name():
    members = pd.DataFrame({
        "repository": ["b/y", "a/z", "a/x"], "as_of": [DAY, LATE, DAY],
        "probability_inactive": [0.5, 0.1234567, 1.0],
    })  # fmt: skip
    assert report.render_forecasts(members) == (
        "repository,as_of,probability_inactive\na/x,2022-01-01,1.000000\nb/y,2022-01-01,0.500000\n"
        "a/z,2023-06-01,0.123457\n"
    )
