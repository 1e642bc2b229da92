"""Every feature of the outlook, computed by hand for six rows of one repository and two of another."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from advisor.outlook import compute, features

NONE = math.nan
# 560, 500, 365, 180, 90 and 0 days before the day of the features.
DAYS = ("2022-06-20", "2022-08-19", "2023-01-01", "2023-07-05", "2023-10-03", "2024-01-01")
AGO = (560, 500, 365, 180, 90, 0)
IDLE = (2, 62, 1, 4, 94, 1)
COUNTS = {
    "commits": (0, 20, 29, 29, 35, 44),  # a month: ?, 10, 2, 0, 2, 3
    "recent_commits": (0, 0, 0, 0, 0, 7),
    "contributors": (1, 2, 2, 3, 3, 4),
    "stars": (9, 19, 49, 99, 199, 299),
    "forks": (0, 0, 0, 0, 0, 13),
    "watchers": (0, 0, 0, 0, 0, 5),
    "open_issues": (3, 3, 4, 4, 6, 10),
    "closed_issues": (5, 5, NONE, 8, 8, 8),
    "change_requests": (1, 1, 1, 1, 2, 2),
    "releases": (0, 0, 1, 1, 1, 1),
    "dependents": (1, 2, 2, 2, 2, 2),
    "downloads": (100, 100, 100, 200, 300, 390),
}
LAST_COMMITS = ("2022-06-18", "2022-06-18", "2022-12-31", "2023-07-01", "2023-07-01", "2023-12-31")


def weighted_mean(values, agos, days):
    weights = [math.exp(-ago / days) for ago in agos]
    return sum(w * math.log1p(v) for w, v in zip(weights, values, strict=True)) / sum(weights)


BY_HAND = {
    "idle_days": 1, "idle_smoothed": weighted_mean(IDLE, AGO, 120), "idle_share_of_age": 1 / 730,
    "longest_pause": 196, "usual_pause": 183, "idle_over_longest_pause": 1 / (196 + 7),
    "active_months_365": 3, "active_months_730": 4,  # June and December '22, July and December '23
    "idle_median_180": 4, "idle_median_365": 2.5, "idle_median_730": 3,
    "fresh_share_180": 2 / 3, "fresh_share_365": 3 / 4, "fresh_share_730": 3 / 5,
    "idle_mean_180": 33, "idle_mean_730": 164 / 6, "idle_max_365": 94, "idle_max_730": 94,
    "commits_a_month_200": 5 / 3, "commits_a_month_400": 7 / 4, "commits_a_month_800": 17 / 5,
    "quiet_share_200": 1 / 3, "quiet_share_400": 1 / 4, "quiet_share_800": 1 / 5,
    "commits_median_400": 2, "commits_median_800": 2,
    "commits_trend": math.log1p(5 / 3) - math.log1p(17 / 5), "commits_burst": 3 / (7 / 4 + 0.1),
    "commits_smoothed": weighted_mean((10, 2, 0, 2, 3), AGO[1:], 100),
    "recent_commits": 7, "commits": 44, "age_days": 730, "commits_a_day": 44 / 730, "commits_per_contributor": 11,
    "days_since_busy_3": 0, "days_since_busy_10": 500,
    "open_issue_share": 10 / 18, "open_issues": 10, "closed_issues": 8, "change_requests": 2,
    "open_issues_more_365": 6, "threads_180": 6, "threads_365": 6,
    "days_since_issue_closed": 180, "days_since_change_request": 90,
    "contributors": 4, "days_since_newcomer": 0,
    "releases": 1, "releases_a_day": 1 / 730, "release_age": 31, "commit_after_release": 30,
    "releases_365": 0, "days_since_release_seen": 365,
    "stars": 299, "stars_a_day": 299 / 730, "forks": 13, "forks_per_star": 13 / 299, "watchers": 5,
    "downloads": 390, "downloads_growth_180": 190 / 201, "dependents": 2, "days_since_dependent": 500,
    "issues_closed_90": 0, "issues_closed_180": 0, "issues_closed_365": NONE,  # unknown a year ago
    "star_growth_90": 100 / 200, "star_growth_180": 200 / 100, "star_growth_365": 250 / 50,
    "change_requests_90": 0, "change_requests_180": 1,
    "newcomers_180": 1, "newcomers_365": 2, "newcomer_growth_180": 1 / 4, "newcomer_growth_365": 2 / 3,
}  # fmt: skip
# Its older row is 105 days old: changes are scaled to 90 days, and values of half a year ago are unknown.
OTHER = {
    "star_growth_90": NONE, "issues_closed_90": 7 * 90 / 105, "change_requests_90": 14 * 90 / 105,
    "star_growth_180": NONE, "threads_180": NONE, "newcomers_180": NONE, "open_issues_more_365": NONE,
    "forks_per_star": NONE,  # 2 / 0
    "open_issue_share": 0, "days_since_newcomer": NONE, "days_since_issue_closed": 0,
    "longest_pause": NONE, "idle_over_longest_pause": NONE, "idle_days": 200, "active_months_365": 1,
    "fresh_share_180": 0, "commits_a_month_200": 0, "quiet_share_200": 1, "days_since_busy_3": NONE,
    "release_age": NONE, "commits_burst": 0, "idle_median_180": 147.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def series():
    six = pd.DataFrame({"repository": "o/n", "day": DAYS, "last_commit": LAST_COMMITS, **COUNTS})
    six["created"], six["last_release"] = "2022-01-01", "2023-12-01"
    two = pd.DataFrame(
        {"repository": "m/other", "day": ["2023-09-18", "2024-01-01"], **dict.fromkeys(COUNTS, 9.0)}
    )
    two["last_commit"], two["created"], two["last_release"] = "2023-06-15", "2021-01-01", None
    two["stars"], two["forks"], two["open_issues"] = [NONE, 0.0], 2.0, [NONE, 0.0]
    two["closed_issues"], two["change_requests"] = [1.0, 8.0], [0.0, 14.0]
    rows = pd.concat([six, two], ignore_index=True)
    days = ["day", "last_commit", "created", "last_release"]
    return rows.assign(**{name: pd.to_datetime(rows[name]) for name in days})


def features_of(series, repository):
    members = pd.DataFrame({"repository": [repository], "day": pd.to_datetime(["2024-01-01"])}, index=[17])
    values = compute.compute_features(series, members)
    assert list(values.index) == [17]
    return values.loc[17].to_dict()


def test_every_feature_by_hand(series):
    assert set(BY_HAND) == set(features.FEATURES)
    assert features_of(series, "o/n") == pytest.approx(BY_HAND, nan_ok=True)


def test_a_short_history_has_fewer_features(series):
    values = features_of(series, "m/other")
    assert {name: values[name] for name in OTHER} == pytest.approx(OTHER, nan_ok=True)


def test_the_order_of_the_rows_does_not_matter(series):
    members = pd.DataFrame({"repository": ["o/n", "m/other"], "day": pd.to_datetime(["2024-01-01"] * 2)})
    mixed = compute.compute_features(series.sample(frac=1, random_state=3), members)
    pd.testing.assert_frame_equal(mixed, compute.compute_features(series, members))


@pytest.mark.parametrize("column", [*COUNTS, "created", "last_release"])
def test_a_feature_names_the_columns_that_it_uses(series, column):
    """Without a column only the features that use it are unknown."""
    unknown = series.assign(**{column: pd.NaT if column in {"created", "last_release"} else NONE})
    values = features_of(unknown, "o/n")
    users = {name for name, feature in features.FEATURES.items() if column in feature.uses}
    changed = {n for n, value in values.items() if value != pytest.approx(BY_HAND[n], nan_ok=True)}
    assert changed <= users
    alone = {n for n in users if features.FEATURES[n].uses == (column,)}
    assert {n for n in alone if not math.isnan(values[n])} == set()
