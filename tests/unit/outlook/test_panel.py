"""The panel of the outlook: its cohort and labels, and files that are none."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd
import pytest
import small_panel

from advisor.errors import InputError
from advisor.outlook import panel

AT = date(2023, 1, 1)


def panel_of(*rows):
    """Return a panel of one repository from (day, last commit)."""
    table = small_panel.rows(1).iloc[[0] * len(rows)].reset_index(drop=True)
    table["snap"] = pd.to_datetime([day for day, _ in rows])
    table["last_commit_pushed_at"] = pd.to_datetime([commit for _, commit in rows])
    return table


@pytest.mark.parametrize(("day", "commit", "is_in"), [
    ("2023-01-01", "2022-10-03", True),  # 90 days old
    ("2023-01-01", "2022-10-02 00:00:01", True),  # a second short of 91
    ("2023-01-01", "2022-10-02", False),  # 91
    ("2022-10-31", "2022-10-30", True),  # the row is 62 days old
    ("2022-10-30", "2022-10-30", False),  # 63
    ("2023-01-02", "2023-01-01", False),  # the row is from the future
    ("2022-12-01", None, False),
])  # fmt: skip
def test_the_cohort_is_active_in_the_newest_row(read_series, day, commit, is_in):
    assert len(panel.select_cohort(read_series(panel_of((day, commit))), AT)) == is_in


@pytest.mark.parametrize(("rows", "abandoned"), [
    ([("2023-12-12", "2022-12-31")], 1.0),  # 20 days before the day; the last commit is 366 days older than it
    ([("2023-12-12", "2023-01-01")], 0.0),  # 365 days
    ([("2023-12-11", "2022-12-31")], math.nan),  # 21 days before
    ([("2024-05-10", "2022-12-31")], 1.0),  # 130 days after
    ([("2024-05-11", "2022-12-31")], math.nan),
    ([("2023-12-20", "2022-12-31"), ("2024-01-20", "2024-01-19")], 1.0),  # the first row counts
    ([("2023-11-20", "2022-12-31"), ("2024-01-20", "2024-01-19")], 1.0),  # it came back after the day
    ([("2023-11-20", "2023-06-01"), ("2024-01-20", "2024-01-19")], 0.0),  # a commit within the year
    ([("2023-09-20", "2022-12-31"), ("2024-01-20", "2024-01-19")], math.nan),  # 103 days without a row
])  # fmt: skip
def test_abandoned_is_a_year_without_a_commit_before_the_day(read_series, rows, abandoned):
    series = read_series(panel_of(("2022-12-31", "2022-12-31"), *rows))
    labels = panel.label_abandonment(series, panel.select_cohort(series, AT), 12)
    assert labels.tolist() == pytest.approx([abandoned], nan_ok=True)


def test_who_comes_back_within_the_second_year_is_not_abandoned_at_its_end(read_series):
    series = read_series(
        panel_of(("2022-12-31", "2022-12-30"), ("2024-01-01", "2022-12-30"), ("2025-01-01", "2024-06-01"))
    )
    members = panel.select_cohort(series, AT)
    assert [panel.label_abandonment(series, members, m).item() for m in (12, 24)] == [1.0, 0.0]


@pytest.mark.parametrize(("totals", "collapsed"), [
    ((100, 200, 219, 300), (1.0, 0.0)),  # 100 commits in the year before, 19 after, then 81
    ((100, 200, 221, 240), (0.0, 1.0)),
    ((100, 111, 111, 111), (math.nan, math.nan)),  # 11 commits a year cannot collapse
    ((100, 112, 112, 112), (1.0, 1.0)),
    ((100, 200, 150, 150), (math.nan, 1.0)),  # a rewritten history has fewer commits than before
])  # fmt: skip
def test_collapsed_is_under_a_fifth_of_the_year_before(read_series, totals, collapsed):
    days = ("2022-01-01", "2023-01-01", "2024-01-01", "2024-12-31")
    rows = panel_of(*((day, day) for day in days))
    rows["commit_count"] = totals
    series = read_series(rows)
    members = panel.select_cohort(series, AT)
    labels = [panel.label_collapse(series, members, m).item() for m in (12, 24)]
    assert labels == pytest.approx(list(collapsed), nan_ok=True)


def test_a_renamed_repository_is_one(read_series):
    rows = panel_of(("2022-12-31", "2022-12-30"), ("2024-01-01", "2023-12-01"), ("2024-01-01", "2022-12-30"))
    rows["repo"] = ["old/name", "new/name", "old/name"]
    rows["created_at"] = pd.Timestamp("2016-03-04 05:06:07")
    series = read_series(rows)
    assert series.repository.tolist() == ["new/name", "new/name"]
    assert panel.label_abandonment(series, panel.select_cohort(series, AT), 12).tolist() == [0.0]
    rows["created_at"] = pd.Timestamp("2016-03-04")  # a day is no identity: many were created on it
    assert set(read_series(rows).repository) == {"old/name", "new/name"}


def test_rows_that_a_list_no_longer_updates_are_left_out(read_series):
    days = [f"2023-{month:02}-01" for month in range(1, 6)]
    rows = panel_of(*((day, "2022-12-30") for day in days))
    rows["star_count"] = [2000, 2001, 2001, 2001, 2002]
    assert read_series(rows).day.dt.month.tolist() == [1, 2, 3, 5]
    rows["star_count"] = [200, 201, 201, 201, 202]  # few stars: nothing may really have changed
    assert read_series(rows).day.dt.month.tolist() == [1, 2, 3, 4, 5]


def test_an_invalid_panel_is_an_error_with_the_problem(tmp_path):
    broken = tmp_path / "it's.parquet"
    broken.write_text("no parquet")
    with pytest.raises(InputError, match=rf"^cannot read {broken} as Parquet: .*(magic|Parquet|parquet)"):
        panel.read_panel(broken)
    whole = small_panel.write(tmp_path / "its.parquet", panel_of(("2022-12-31", "2022-12-30")))
    assert len(panel.read_panel(whole.replace(broken))) == 1
    less = small_panel.write(tmp_path / "less.parquet", small_panel.rows(1)[["repo", "snap", "category"]])
    with pytest.raises(InputError) as raised:
        panel.read_panel(less)
    missing = ", ".join(sorted({c for c, _ in panel.COLUMNS.values()} - {"repo", "snap", "category"}))
    assert str(raised.value) == f"{less} does not have the columns {missing}; see docs/explanation/method.md"


def test_a_panel_with_words_for_numbers_is_an_error_with_the_file(read_series):
    rows = panel_of(("2022-12-31", "2022-12-30"))
    rows["star_count"] = "many"
    with pytest.raises(InputError, match=r"panel\.parquet: .*many"):
        read_series(rows)


def test_an_unreadable_panel_is_an_error_with_the_file(tmp_path, table):
    nothing = tmp_path / "x.parquet"
    nothing.write_text("no")
    with pytest.raises(InputError, match=r"x\.parquet"):
        panel.read_panel(nothing)
    with pytest.raises(InputError, match="star_count"):
        panel.read_panel(small_panel.write(tmp_path / "y.parquet", table.drop(columns="star_count")))
