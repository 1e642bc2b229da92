"""The outlook: who is asked, what is known, and that nothing of the future or of the training leaks in."""

from __future__ import annotations

import json
import math
import shutil
from datetime import date

import pandas as pd
import pytest
import small_panel

from advisor.domain.files import data_folder
from advisor.errors import FactsError, InputError
from advisor.outlook import compute, features, model, panel

AT = date(2023, 1, 1)
SHIPPED = data_folder() / "reference" / "outlook.json"


@pytest.fixture(scope="module")
def table():
    return small_panel.rows()


@pytest.fixture
def read(tmp_path):
    return lambda rows: panel.read_panel(small_panel.write(tmp_path / "panel.parquet", rows))


def one(*rows):
    """A series of one repository from (day, last commit)."""
    filled = small_panel.rows(1).iloc[[0] * len(rows)].reset_index(drop=True)
    filled["snap"] = pd.to_datetime([day for day, _ in rows])
    filled["last_commit_pushed_at"] = pd.to_datetime([commit for _, commit in rows])
    return filled


@pytest.mark.parametrize(("day", "commit", "is_in"), [
    ("2023-01-01", "2022-10-03", True),  # 90 days old
    ("2023-01-01", "2022-10-02 00:00:01", True),  # a second short of 91
    ("2023-01-01", "2022-10-02", False),  # 91
    ("2022-10-31", "2022-10-30", True),  # the row is 62 days old
    ("2022-10-30", "2022-10-30", False),  # 63
    ("2023-01-02", "2023-01-01", False),  # the row is from the future
    ("2022-12-01", None, False),
])  # fmt: skip
def test_the_cohort_is_who_the_newest_row_shows_active(read, day, commit, is_in):
    assert len(panel.cohort(read(one((day, commit))), AT)) == is_in


@pytest.mark.parametrize(("later", "commit", "inactive"), [
    ("2023-12-12", "2022-12-30", 1.0),  # 20 days before a year is over: counts, no new commit
    ("2023-12-11", "2022-12-30", math.nan),  # a day too early: not seen
    ("2024-05-10", "2023-01-02", 0.0),  # 130 days after: one commit more
    ("2024-05-11", "2023-01-02", math.nan),
])  # fmt: skip
def test_the_outcome_is_the_first_row_around_the_horizon(read, later, commit, inactive):
    series = read(one(("2022-12-31", "2022-12-30"), (later, commit)))
    found = panel.inactive_after(series, panel.cohort(series, AT), 12)
    assert found.tolist() == pytest.approx([inactive], nan_ok=True)


def test_what_became_of_one_is_not_told_of_another_and_dead_is_idle_for_more_than_a_year(read):
    rows = one(
        *[("2022-12-31", "2022-12-30"), ("2024-01-15", "2023-01-15")] * 2, ("2024-01-10", "2024-01-09")
    )
    rows["repo"] = ["b/two", "b/two", "a/one", "a/one", "c/three"]
    rows.loc[3, "last_commit_pushed_at"] = pd.Timestamp(2023, 1, 14)
    series = read(rows)
    members = panel.cohort(series, AT)
    assert (members.repository.tolist(), members.index.tolist()) == (["a/one", "b/two"], [0, 1])
    assert members.idle_days.tolist() == [1.0, 1.0]
    assert panel.inactive_after(series, members, 12).tolist() == [0.0, 0.0]
    assert panel.dead_after(series, members, 12).tolist() == [1.0, 0.0], "366 days and 365"
    assert panel.dead_after(series, members, 24).isna().all()


def test_a_panel_that_is_none_says_what_is_wrong(tmp_path):
    broken = tmp_path / "it's.parquet"
    broken.write_text("no parquet")
    with pytest.raises(InputError, match=rf"^{broken} cannot be read as Parquet: .*(magic|Parquet|parquet)"):
        panel.read_panel(broken)
    whole = small_panel.write(tmp_path / "its.parquet", one(("2022-12-31", "2022-12-30")))
    assert len(panel.read_panel(whole.replace(broken))) == 1
    less = small_panel.write(tmp_path / "less.parquet", small_panel.rows(1)[["repo", "snap", "category"]])
    with pytest.raises(InputError) as told:
        panel.read_panel(less)
    lacking = ", ".join(sorted({c for c, _ in panel.COLUMNS.values()} - {"repo", "snap", "category"}))
    assert str(told.value) == f"{less} lacks the columns {lacking}; see docs/explanation/method.md"


def test_of_several_rows_the_first_counts(read):
    series = read(
        one(("2022-12-31", "2022-12-30"), ("2023-12-20", "2022-12-30"), ("2024-01-20", "2024-01-19"))
    )
    assert panel.inactive_after(series, panel.cohort(series, AT), 12).tolist() == [1.0]


def test_a_planted_future_changes_nothing(read, table):
    series = read(table)
    members = panel.cohort(series, AT)
    before = compute.features(series, members)
    assert len(before) > 20
    after_that = table.snap > pd.Timestamp(2023, 1, 1)
    for column in set(table.columns) - {"list", "snap", "repo", "category"}:
        planted = table.copy()
        odd = pd.Timestamp(2029, 1, 1) if "_at" in column else 987654321.0
        planted[column] = planted[column].astype(object).where(~after_that, odd)
        planted[column] = (
            pd.to_datetime(planted[column]) if "_at" in column else planted[column].astype(float)
        )
        changed = read(planted)
        pd.testing.assert_frame_equal(panel.cohort(changed, AT), members)
        pd.testing.assert_frame_equal(compute.features(changed, members), before, obj=column)
    gone = read(table[~after_that])
    pd.testing.assert_frame_equal(compute.features(gone, members), before)


def test_others_change_nothing(read, table):
    series = read(table)
    members = panel.cohort(series, AT)
    alone = members.iloc[[3]]
    of_it = series[series.repository == alone.repository.item()]
    pd.testing.assert_frame_equal(compute.features(of_it, alone), compute.features(series, members).iloc[[3]])


def test_every_feature_is_made(read, table):
    series = read(table)
    found = compute.features(series, panel.cohort(series, AT))
    assert list(found) == list(features.FEATURES)
    lost = [name for name in found if found[name].isna().all()]
    assert lost == [n for n, f in features.FEATURES.items() if "dependents" in f.uses]


def test_no_repository_is_on_both_sides_of_a_split():
    shipped = model.load(SHIPPED)
    names = [f"owner{i}/lib{i}" for i in range(5000)]
    sides = pd.Series([model.fold_of(n, len(shipped.folds)) for n in names])
    assert set(sides) == set(range(5))
    assert [model.fold_of(n.upper(), 5) for n in names] == sides.tolist()


def test_who_was_trained_on_is_scored_by_the_set_that_did_not_see_it(read, table):
    from dataclasses import replace

    series = read(table)
    members = panel.cohort(series, AT)
    values = compute.features(series, members)
    sets = tuple((model.Tree((-1,), (0.0,), (-1,), (-1,), (0,), (10.0**k,), (1,)),) for k in range(5))
    seen = frozenset(model.digest(n) for n in members.repository[::2])
    telling = replace(model.load(SHIPPED), folds=sets, trained_on=seen)
    said = model.log_odds(telling, values, members.repository)
    for name, value in zip(members.repository, said, strict=True):
        own = 10.0 ** model.fold_of(name, 5)
        assert value == pytest.approx(own if model.digest(name) in seen else 11111 / 5)


@pytest.mark.parametrize(("changes", "said"), [
    ({"format": "0"}, "format 0, this version reads"),
    ({"features": ["luck"]}, "features that this version does not make: luck"),
])  # fmt: skip
def test_a_model_of_another_version_is_refused(tmp_path, changes, said):
    path = tmp_path / "outlook.json"
    path.write_text(json.dumps({**json.loads(SHIPPED.read_text()), **changes}))
    with pytest.raises(FactsError, match=said):
        model.load(path)


def test_a_panel_with_words_for_numbers_names_the_file(read):
    rows = one(("2022-12-31", "2022-12-30"))
    rows["star_count"] = "many"
    with pytest.raises(InputError, match=r"panel\.parquet: .*many"):
        read(rows)


def test_contributions_add_up(read, table):
    shipped = model.load(SHIPPED)
    series = read(table)
    members = panel.cohort(series, AT)
    values = compute.features(series, members)
    said = model.log_odds(shipped, values, members.repository)
    for row, expected in zip(values.to_dict("records"), said, strict=True):
        each = [model.explain(shipped, trees, row) for trees in shipped.folds]
        assert sum(total for total, _ in each) / 5 == pytest.approx(expected, abs=1e-9)


def middling(shipped):
    return {name: (low + high) / 2 for name, (low, high) in shipped.ranges.items()} | {"idle_days": 5.0}


def test_less_known_is_a_wider_interval_and_then_none():
    shipped = model.load(SHIPPED)
    values = middling(shipped)
    order = sorted(shipped.importance, key=lambda n: shipped.importance[n])
    known = model.outlooks(shipped, values, [12])[0]
    part = model.outlooks(shipped, values, [12], order[:30])[0]
    assert known.low < known.probability_inactive < known.high
    width, width_known = (
        math.log(o.high / (1 - o.high)) - math.log(o.low / (1 - o.low)) for o in (part, known)
    )
    assert width > width_known
    assert not {c.feature for c in part.contributions} & set(order[:30])
    none = model.outlooks(shipped, values, [12], order)[0]
    assert (none.abstained, none.probability_inactive, none.low, none.high) == (True, None, 0.0, 1.0)


@pytest.mark.parametrize("idle", [181.0, 4000.0, None])
def test_it_abstains_outside_what_it_has_seen(idle):
    shipped = model.load(SHIPPED)
    found = model.outlooks(shipped, middling(shipped) | {"idle_days": idle}, [24])[0]
    assert found.abstained
    assert "180 days" in found.reason


def test_a_value_out_of_range_is_taken_as_unknown_and_said():
    shipped = model.load(SHIPPED)
    found = model.outlooks(shipped, middling(shipped) | {"stars": 1e9}, [12])[0]
    assert "stars" in found.reason
    assert all(c.feature != "stars" for c in found.contributions)


def test_a_damaged_model_is_named(tmp_path):
    broken = tmp_path / "outlook.json"
    shutil.copy(SHIPPED, broken)
    broken.write_text(broken.read_text()[:2000])
    with pytest.raises(FactsError, match=r"outlook\.json"):
        model.load(broken)


def test_a_panel_that_is_none(tmp_path, table):
    nothing = tmp_path / "x.parquet"
    nothing.write_text("no")
    with pytest.raises(InputError, match=r"x\.parquet"):
        panel.read_panel(nothing)
    with pytest.raises(InputError, match="star_count"):
        panel.read_panel(small_panel.write(tmp_path / "y.parquet", table.drop(columns="star_count")))


def of_the_world(store, as_of):
    from small_world import NAMES

    from advisor.outlook import candidates

    return candidates.outlooks(store, NAMES, as_of, SHIPPED)


def test_facts_are_turned_into_rows_as_a_list_has_them(world):
    from small_world import AS_OF, NAMES

    from advisor.facts import reading
    from advisor.outlook import candidates

    with reading.connect(world, NAMES, AS_OF) as db:
        series = candidates.series_of(db, AS_OF)
        days, commits, people = db.execute(
            "SELECT max(day), sum(commits), count(DISTINCT author) FROM contributions WHERE repository = $1",
            [NAMES[0]],
        ).fetchone()
    assert list(series) == list(panel.COLUMNS)
    assert len(series) == 3 * (candidates.MONTHS + 1)
    last = series[series.repository == NAMES[0]].iloc[-1]
    assert (last.day.date(), last.last_commit.date()) == (AS_OF, days)
    assert (last.commits, last.contributors) == (commits, people)
    assert series.groupby("repository").commits.is_monotonic_increasing.all()
    assert panel.cohort(series, AS_OF).repository.tolist() == sorted(NAMES)


def test_later_facts_change_no_outlook(world, tmp_path):
    from datetime import timedelta

    from small_world import AS_OF, fill, rows

    early = AS_OF - timedelta(days=200)
    known = of_the_world(world, early)
    assert any(not o.abstained for of_it in known.values() for o in of_it)
    cut = {}
    for (table, name), given in rows().items():
        first = {
            "contributions": "day",
            "threads": "opened_at",
            "counts": "day",
            "releases": "released_on",
        }.get(table)
        cut[table, name] = [r for r in given if first is None or r[first][:10] <= early.isoformat()]
    assert of_the_world(fill(tmp_path / "cut", cut), early) == known


def test_a_history_that_was_not_read_anew_has_no_outlook(world):
    from datetime import timedelta

    from small_world import AS_OF

    for of_it in of_the_world(world, AS_OF + timedelta(days=100)).values():
        assert all(o.abstained and "last read" in o.reason for o in of_it)


def test_what_no_source_knows_is_not_blamed(world):
    from small_world import AS_OF

    for of_it in of_the_world(world, AS_OF).values():
        assert not {"watchers", "dependents"} & {c.feature for o in of_it for c in o.contributions}


def test_a_declared_end_stands_beside_the_outlook():
    import advisor

    by_name = {r.candidate.name: r for r in advisor.recommend().ranking}
    assert all("unmaintained" in o.known for o in by_name["torchtune"].outlook)
    assert all(o.known == "" for o in by_name["trl"].outlook)
    chances = [by_name[n].outlook[0].probability_inactive for n in ("trl", "litgpt", "torchtune")]
    assert chances == sorted(chances)
