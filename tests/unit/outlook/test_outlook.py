"""The outlook: its cohort, labels and features, without leaks from the future or from training."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from advisor.domain.files import data_folder
from advisor.errors import FactsError
from advisor.outlook import compute, features, forecast, model, panel

AT = date(2023, 1, 1)
MODEL_FILE = data_folder() / "reference" / "outlook.json"


def test_chances_do_not_fall_with_the_horizon_and_a_collapse_is_at_least_as_likely():
    from dataclasses import replace

    bundled_model = model.load_model(MODEL_FILE)
    collapse = model.load_model(MODEL_FILE, model.COLLAPSE)
    assert bundled_model.folds != collapse.folds
    names = list(bundled_model.ranges)
    for k in range(60):  # corners of the training data: every feature low, high or in the middle
        values = {
            name: bundled_model.ranges[name][0]
            + (bundled_model.ranges[name][1] - bundled_model.ranges[name][0]) * ((k * (i + 1)) % 7) / 6
            for i, name in enumerate(names)
        }
        values |= {"idle_days": 6.0 * k, "commits_a_month_400": 30.0 * (k % 3)}
        year, two = predict(bundled_model, values, [12, 24], (), collapse)
        for early, late in (
            (year.probability_inactive, two.probability_inactive),
            (year.low, two.low),
            (year.high, two.high),
        ):
            assert early <= late
        if k % 3 == 0:
            assert (year.collapse, year.collapse_low, year.collapse_high) == (None, 0.0, 1.0), "no commits"
            continue
        assert year.probability_inactive <= year.collapse <= two.collapse
        assert two.probability_inactive <= two.collapse
        assert two.collapse_low <= two.collapse <= two.collapse_high
    lines = {
        12: model.Calibration(1.0, 1.0, ((9.0, 0.0, 1.0),)),
        24: model.Calibration(-1.0, 1.0, ((9.0, 0.0, 1.0),)),
    }
    crossed = replace(bundled_model, calibrations=lines)
    year, two = predict(crossed, values, [12, 24])
    assert year.probability_inactive == two.probability_inactive


def test_changes_of_the_future_change_no_feature(read_series, table):
    series = read_series(table)
    members = panel.select_cohort(series, AT)
    before = compute.compute_features(series, members)
    assert len(before) > 20
    after_that = table.snap > pd.Timestamp(2023, 1, 1)
    for column in set(table.columns) - {"list", "snap", "repo", "category"}:
        changed_table = table.copy()
        odd = pd.Timestamp(2029, 1, 1) if "_at" in column else 987654321.0
        changed_table[column] = changed_table[column].astype(object).where(~after_that, odd)
        changed_table[column] = (
            pd.to_datetime(changed_table[column]) if "_at" in column else changed_table[column].astype(float)
        )
        changed = read_series(changed_table)
        pd.testing.assert_frame_equal(panel.select_cohort(changed, AT), members)
        pd.testing.assert_frame_equal(compute.compute_features(changed, members), before, obj=column)
    past = read_series(table[~after_that])
    pd.testing.assert_frame_equal(compute.compute_features(past, members), before)


def test_other_repositories_change_no_feature(read_series, table):
    series = read_series(table)
    members = panel.select_cohort(series, AT)
    alone = members.iloc[[3]]
    own_rows = series[series.repository == alone.repository.item()]
    pd.testing.assert_frame_equal(
        compute.compute_features(own_rows, alone), compute.compute_features(series, members).iloc[[3]]
    )


def test_every_feature_is_computed(read_series, table):
    series = read_series(table)
    values = compute.compute_features(series, panel.select_cohort(series, AT))
    assert list(values) == list(features.FEATURES)
    empty = [name for name in values if values[name].isna().all()]
    assert empty == [n for n, f in features.FEATURES.items() if "dependents" in f.uses]


def test_a_repository_is_in_one_fold():
    bundled_model = model.load_model(MODEL_FILE)
    names = [f"owner{i}/lib{i}" for i in range(5000)]
    sides = pd.Series([model.fold_of(n, len(bundled_model.folds)) for n in names])
    assert set(sides) == set(range(5))
    assert [model.fold_of(n.upper(), 5) for n in names] == sides.tolist()


def test_a_training_repository_is_scored_by_the_set_trained_without_it(read_series, table):
    from dataclasses import replace

    series = read_series(table)
    members = panel.select_cohort(series, AT)
    values = compute.compute_features(series, members)
    sets = tuple((model.Tree((-1,), (0.0,), (-1,), (-1,), (0,), (10.0**k,), (1,)),) for k in range(5))
    training_names = frozenset(model.digest(n) for n in members.repository[::2])
    simple_model = replace(model.load_model(MODEL_FILE), folds=sets, trained_on=training_names)
    log_odds = model.sum_log_odds(simple_model, values, members.repository)
    for name, value in zip(members.repository, log_odds, strict=True):
        own = 10.0 ** model.fold_of(name, 5)
        assert value == pytest.approx(own if model.digest(name) in training_names else 11111 / 5)


@pytest.mark.parametrize(("changes", "message"), [
    ({"format": "0"}, "the model has format 0, but this version reads format"),
    ({"features": ["luck"]}, "this version cannot compute the features luck"),
])  # fmt: skip
def test_a_model_of_another_version_is_an_error(tmp_path, changes, message):
    path = tmp_path / "outlook.json"
    path.write_text(json.dumps({**json.loads(MODEL_FILE.read_text()), **changes}))
    with pytest.raises(FactsError, match=message):
        model.load_model(path)


def test_contributions_add_up(read_series, table):
    bundled_model = model.load_model(MODEL_FILE)
    series = read_series(table)
    members = panel.select_cohort(series, AT)
    values = compute.compute_features(series, members)
    log_odds = model.sum_log_odds(bundled_model, values, members.repository)
    numbers = values[list(bundled_model.features)].to_numpy(dtype=float)
    known = np.zeros(numbers.shape, dtype=bool)
    sums = []
    for forest, trees in zip(bundled_model.forests, bundled_model.folds, strict=True):
        odds, contributions = model.explain_trees(forest, numbers, known)
        base = sum(tree.value[0] for tree in trees)
        assert base + contributions.sum(axis=1) == pytest.approx(odds, abs=1e-3)  # rounded in the file
        sums.append(odds)
    assert np.mean(sums, axis=0) == pytest.approx(log_odds, abs=1e-9)


def test_an_outlook_does_not_depend_on_the_other_libraries():
    bundled_model = model.load_model(MODEL_FILE)
    rows = [medium_values(bundled_model) | {"stars": float(10**n), "idle_days": 9.0 * n} for n in range(5)]
    unknown = [[], ["stars"], ["commits", "downloads"], list(bundled_model.ranges)[:3], ["releases"]]
    names = [[]] * 5
    together = forecast.predict_outlooks(bundled_model, rows, [12, 24], unknown, names)
    assert together == [
        predict(bundled_model, row, [12, 24], absent) for row, absent in zip(rows, unknown, strict=True)
    ]
    assert len({outlooks[0].probability_inactive for outlooks in together}) == 5
    assert forecast.predict_outlooks(bundled_model, [], [12], [], []) == []


def test_a_library_of_the_training_data_is_judged_by_the_trees_that_did_not_see_it():
    bundled_model = model.load_model(MODEL_FILE)
    values = medium_values(bundled_model)
    of_set = []
    for k in range(5):
        one_set = replace(bundled_model, folds=(bundled_model.folds[k],))
        of_set.append(predict(one_set, values, [12])[0].probability_inactive)
    name = "huggingface/trl"
    assert model.digest(name) in bundled_model.trained_on
    own = model.fold_of(name, 5)
    for names in ([name], ["new-owner/trl", name]):
        outlook = predict(bundled_model, values, [12], names=names)[0]
        assert outlook.probability_inactive == pytest.approx(of_set[own], rel=1e-9)
        assert outlook.low < outlook.probability_inactive < outlook.high
    assert len(set(of_set)) == 5
    unseen = predict(bundled_model, values, [12], names=["nobody/unseen"])
    assert unseen == predict(bundled_model, values, [12])


def predict(trained, values, horizons, unknown=(), collapse=None, names=()):
    """Return the outlooks of one library."""
    return forecast.predict_outlooks(trained, [values], horizons, [unknown], [names], collapse)[0]


def medium_values(bundled_model):
    return {name: (low + high) / 2 for name, (low, high) in bundled_model.ranges.items()} | {"idle_days": 5.0}


def test_unknown_features_widen_the_interval_until_the_model_abstains():
    bundled_model = model.load_model(MODEL_FILE)
    values = medium_values(bundled_model)
    order = sorted(bundled_model.importance, key=lambda n: bundled_model.importance[n])
    whole = predict(bundled_model, values, [12])[0]
    part = predict(bundled_model, values, [12], order[-6:-1])[0]
    assert whole.low < whole.probability_inactive < whole.high
    width, width_whole = (
        math.log(o.high / (1 - o.high)) - math.log(o.low / (1 - o.low)) for o in (part, whole)
    )
    assert width > width_whole
    assert not {c.feature for c in part.contributions} & set(order[-6:-1])
    none = predict(bundled_model, values, [12], order)[0]
    assert (none.abstained, none.probability_inactive, none.low, none.high) == (True, None, 0.0, 1.0)


@pytest.mark.parametrize(("idle", "reason"), [
    (366.0, "no commit for 366 days: it is abandoned already"),
    (4000.0, "no commit for 4000 days: it is abandoned already"),
    (None, "no commit is known"),
])  # fmt: skip
def test_it_abstains_outside_the_training_data(idle, reason):
    bundled_model = model.load_model(MODEL_FILE)
    outlook = predict(bundled_model, medium_values(bundled_model) | {"idle_days": idle}, [24])[0]
    assert (outlook.abstained, outlook.reason) == (True, reason)


def test_a_value_out_of_range_is_unknown_with_a_reason():
    bundled_model = model.load_model(MODEL_FILE)
    outlook = predict(bundled_model, medium_values(bundled_model) | {"stars": 1e9}, [12])[0]
    assert "stars" in outlook.reason
    assert all(c.feature != "stars" for c in outlook.contributions)


def test_a_damaged_model_is_an_error_with_the_file(tmp_path):
    broken = tmp_path / "outlook.json"
    shutil.copy(MODEL_FILE, broken)
    broken.write_text(broken.read_text()[:2000])
    with pytest.raises(FactsError, match=r"outlook\.json"):
        model.load_model(broken)


def outlooks_of_the_world(store, as_of):
    from small_world import NAMES

    from advisor.facts.facts_view import FactsView
    from advisor.outlook import candidates

    return candidates.compute_outlooks(FactsView(store, tuple(NAMES), as_of), MODEL_FILE)


def test_facts_become_rows_of_a_panel(world):
    from small_world import AS_OF, NAMES

    from advisor.facts import reading
    from advisor.outlook import candidates

    with reading.open_views(world, NAMES, AS_OF) as db:
        series = db.execute(f"WITH {candidates.series_sql([AS_OF])} FROM series ORDER BY name, day").df()
        days, commits, people = db.execute(
            "SELECT max(day), sum(commits), count(DISTINCT author) FROM contributions WHERE repository = $1",
            [NAMES[0]],
        ).fetchone()
    series = series.assign(repository=series.name)[list(panel.COLUMNS)]
    assert len(series) == 3 * (candidates.MONTHS + 1)
    last = series[series.repository == NAMES[0]].iloc[-1]
    assert (last.day.date(), last.last_commit.date()) == (AS_OF, days)
    assert (last.commits, last.contributors) == (commits, people)
    assert series.groupby("repository").commits.is_monotonic_increasing.all()
    assert panel.select_cohort(series, AS_OF).repository.tolist() == sorted(NAMES)


def test_many_days_at_once_have_the_outlooks_of_each_day(world):
    from datetime import timedelta

    from small_world import AS_OF, NAMES

    from advisor.facts.facts_view import FactsView
    from advisor.outlook import candidates

    days = [AS_OF - timedelta(days=back) for back in (2000, 400, 200, 31, 0)]
    past = candidates.compute_past_outlooks(FactsView(world, tuple(NAMES), AS_OF), days, MODEL_FILE)
    assert list(past) == days
    answered = 0
    for day in days:
        for name, (_, expected) in outlooks_of_the_world(world, day).items():
            outlook = past[day][name]
            assert (outlook.horizon_months, outlook.abstained) == (24, expected.abstained)
            if expected.abstained:
                assert outlook.reason == expected.reason
                continue
            answered += 1
            assert (outlook.probability_inactive, outlook.low, outlook.high) == pytest.approx(
                (expected.probability_inactive, expected.low, expected.high), rel=1e-5
            ), "the values of nodes have five digits"
    assert 3 <= answered < len(days) * len(NAMES)


def test_later_facts_change_no_outlook(world, tmp_path):
    from datetime import timedelta

    from small_world import AS_OF, fill, rows

    early = AS_OF - timedelta(days=200)
    expected = outlooks_of_the_world(world, early)
    assert any(not o.abstained for outlooks in expected.values() for o in outlooks)
    cut = {}
    for (table, name), table_rows in rows().items():
        first = {
            "contributions": "day",
            "co_authorships": "day",
            "threads": "opened_at",
            "counts": "day",
            "releases": "released_on",
        }.get(table)
        cut[table, name] = [r for r in table_rows if first is None or r[first][:10] <= early.isoformat()]
    assert outlooks_of_the_world(fill(tmp_path / "cut", cut), early) == expected


def test_stale_commits_have_no_outlook(world):
    from datetime import timedelta

    from small_world import AS_OF

    for outlooks in outlooks_of_the_world(world, AS_OF + timedelta(days=100)).values():
        assert all(o.abstained and "commits were last collected on" in o.reason for o in outlooks)


def test_features_without_a_source_do_not_contribute(world):
    from small_world import AS_OF

    for outlooks in outlooks_of_the_world(world, AS_OF).values():
        assert not {"watchers", "dependents"} & {c.feature for o in outlooks for c in o.contributions}


def test_a_declared_end_is_shown_with_the_outlook():
    import advisor

    by_name = {r.candidate.name: r for r in advisor.recommend().ranking}
    assert all("unmaintained" in o.known for o in by_name["torchtune"].outlook)
    assert all(o.known == "" for o in by_name["trl"].outlook)
    chances = [by_name[n].outlook[0].probability_inactive for n in ("trl", "litgpt", "torchtune")]
    assert chances == sorted(chances)
