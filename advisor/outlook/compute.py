"""Compute the features of a repository from its monthly rows up to a day.

A feature uses only the row of the day and older rows of the same repository. NaN: unknown, or the history
is too short.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from advisor.outlook.features import BUSY, FEATURES, LAGS, WINDOWS

if TYPE_CHECKING:
    import pandas as pd

MONTH_DAYS = 30.0

_SINCE = {
    "days_since_issue_closed": "closed_issues",
    "days_since_change_request": "change_requests",
    "days_since_newcomer": "contributors",
    "days_since_release_seen": "releases",
    "days_since_dependent": "dependents",
}


def compute_features(series: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Return the features of each member on the day of its row.

    Args:
        series: rows as `panel.read_panel` returns them, ordered by repository and day.
        members: ``repository`` and ``day``, each pair a row of ``series``.

    Returns:
        One row per member, in order and with its index; one float64 column per feature; NaN: unknown.
    """
    rows = _add_history(series)
    keys = members[["repository", "day"]].copy()
    keys["member"] = range(len(keys))
    now = keys.merge(rows, on=["repository", "day"], how="left").set_index("member")
    columns = _row_features(now)
    columns |= _lag_features(rows, keys, now)
    columns |= _window_features(rows, keys, now)
    import pandas as pd

    features = pd.DataFrame(columns)[list(FEATURES)].astype(float)
    features = features.replace([math.inf, -math.inf], math.nan)
    features.index = members.index
    return features


def _days(span: Any) -> Any:
    return span.dt.total_seconds() / 86400


def _add_history(series: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that depend on the rows before each row."""
    rows = series.sort_values(["repository", "day"], ignore_index=True)
    groups = rows.groupby("repository", sort=False)
    rows["last_commit"] = groups.last_commit.cummax()
    rows["idle"] = _days(rows.day - rows.last_commit)
    before = groups.last_commit.shift()
    rows["is_new"] = (rows.last_commit > before).astype(float).where(before.notna())
    rows["pause"] = _days(rows.last_commit - before).where(rows.last_commit != before)
    totals = groups[list({*_SINCE.values(), "commits"})].ffill()
    earlier = totals.groupby(rows.repository, sort=False).shift()
    for name, column in _SINCE.items():
        growth_day = rows.day.where(totals[column] > earlier[column])
        rows[name] = _days(rows.day - growth_day.groupby(rows.repository, sort=False).ffill())
    span = _days(rows.day - groups.day.shift())
    rows["commits_a_month"] = (totals.commits - earlier.commits) / span * MONTH_DAYS
    return rows


def _row_features(now: pd.DataFrame) -> dict[str, Any]:
    age = _days(now.day - now.created)
    return {
        "idle_days": now.idle,
        "idle_share_of_age": now.idle / age,
        "age_days": age,
        "release_age": _days(now.day - now.last_release),
        "commit_after_release": _days(now.last_commit - now.last_release),
        "commits_a_day": now.commits / age,
        "commits_per_contributor": now.commits / now.contributors,
        "open_issue_share": now.open_issues / (now.open_issues.fillna(0) + now.closed_issues.fillna(0)),
        "releases_a_day": now.releases / age,
        "stars_a_day": now.stars / age,
        "forks_per_star": now.forks / now.stars,
        **{name: now[name] for name in _SINCE},
        **{
            name: now[name]
            for name in (
                "commits", "recent_commits", "contributors", "stars", "forks", "watchers", "open_issues",
                "closed_issues", "change_requests", "releases", "dependents", "downloads",
            )
        },
    }  # fmt: skip


def _lag_features(rows: pd.DataFrame, keys: pd.DataFrame, now: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    features: dict[str, Any] = {}
    counts = [
        "closed_issues",
        "open_issues",
        "change_requests",
        "contributors",
        "releases",
        "stars",
        "downloads",
    ]
    older = rows[["repository", "day", *counts]].rename(columns={"day": "then"}).sort_values("then")
    for lag, tolerance in LAGS.items():
        targets = keys.assign(at=keys.day - pd.Timedelta(days=lag)).sort_values("at")
        then = pd.merge_asof(
            targets, older, left_on="at", right_on="then", by="repository",
            direction="nearest", tolerance=pd.Timedelta(days=tolerance),
        ).set_index("member").sort_index()  # fmt: skip
        span = _days(now.day - then.then)
        more = {name: (now[name] - then[name]) / span * lag for name in counts}
        growth = {name: more[name] / (then[name] + 1) for name in counts}
        threads = more["closed_issues"].fillna(0) + more["open_issues"].fillna(0)
        each = {
            f"issues_closed_{lag}": more["closed_issues"],
            f"star_growth_{lag}": growth["stars"],
            f"open_issues_more_{lag}": more["open_issues"],
            f"threads_{lag}": threads.where(span.notna()),
            f"change_requests_{lag}": more["change_requests"],
            f"newcomers_{lag}": more["contributors"],
            f"newcomer_growth_{lag}": growth["contributors"],
            f"releases_{lag}": more["releases"],
            f"downloads_growth_{lag}": growth["downloads"],
        }
        features |= {name: value for name, value in each.items() if name in FEATURES}
    return features


def _window_features(rows: pd.DataFrame, keys: pd.DataFrame, now: pd.DataFrame) -> dict[str, Any]:
    import numpy as np

    columns = ["repository", "day", "last_commit", "idle", "is_new", "pause", "commits_a_month"]
    past = keys.merge(rows[columns].rename(columns={"day": "then"}), on="repository")
    past = past[past.then <= past.day]
    past["ago"] = _days(past.day - past.then)
    past["month"] = past.last_commit.dt.year * 12 + past.last_commit.dt.month
    features: dict[str, Any] = {}
    all_rows = past.groupby("member")
    features["longest_pause"] = all_rows.pause.max()
    features["usual_pause"] = all_rows.pause.median()
    features["idle_over_longest_pause"] = now.idle / (features["longest_pause"] + 7)
    for days in WINDOWS:
        inside = past[past.ago <= days].groupby("member")
        features[f"idle_median_{days}"] = inside.idle.median()
        features[f"idle_mean_{days}"] = inside.idle.mean()
        features[f"idle_max_{days}"] = inside.idle.max()
        features[f"fresh_share_{days}"] = inside.is_new.mean()
    for days in (365, 730):
        active = past[(past.ago <= days) & (past.idle <= days)]
        features[f"active_months_{days}"] = active.groupby("member").month.nunique()
    weight = np.exp(-past.ago / 120).where(past.idle.notna())
    weights = weight * np.log1p(past.idle.clip(lower=0))
    features["idle_smoothed"] = weights.groupby(past.member).sum() / weight.groupby(past.member).sum()
    flows = past[past.commits_a_month.notna()]
    for days in (200, 400, 800):
        flow = flows[flows.ago < days].groupby("member").commits_a_month
        features[f"commits_a_month_{days}"] = flow.mean()
        features[f"commits_median_{days}"] = flow.median()
        quiet = (flows.commits_a_month <= 0)[flows.ago < days]
        features[f"quiet_share_{days}"] = quiet.groupby(flows.member[flows.ago < days]).mean()
    year = flows[flows.ago < 400]  # a year, and some more because rows are monthly
    features["commits_burst"] = year.groupby("member").commits_a_month.max() / (
        features["commits_a_month_400"] + 0.1
    )
    features["commits_trend"] = np.log1p(features["commits_a_month_200"].clip(lower=0)) - np.log1p(
        features["commits_a_month_800"].clip(lower=0)
    )
    near = flows[flows.ago < 730]  # two years
    weight = np.exp(-near.ago / 100)
    weights = weight * np.log1p(near.commits_a_month.clip(lower=0))
    features["commits_smoothed"] = weights.groupby(near.member).sum() / weight.groupby(near.member).sum()
    for busy in BUSY:
        features[f"days_since_busy_{busy}"] = flows[flows.commits_a_month >= busy].groupby("member").ago.min()
    return features
