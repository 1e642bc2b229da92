"""A repository's rows up to a day, as numbers: how recent, how regular, how much, by how many, how wanted.

Every feature of a row is made from that row and older ones of the same repository; nothing later and
nobody else is looked at. NaN: not known, or the history is too short to say.
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


def features(series: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """The features of each member on the day of its row.

    Args:
        series: rows as `panel.read_panel` gives them, ordered by repository and day.
        members: ``repository`` and ``day``, each pair a row of ``series``.

    Returns:
        One row a member, in order and with its index; one float64 column a feature; NaN: unknown.
    """
    rows = _with_history(series)
    asked = members[["repository", "day"]].copy()
    asked["member"] = range(len(asked))
    now = asked.merge(rows, on=["repository", "day"], how="left").set_index("member")
    columns = _of_the_row(now)
    columns |= _of_lags(rows, asked, now)
    columns |= _of_windows(rows, asked, now)
    import pandas as pd

    found = pd.DataFrame(columns)[list(FEATURES)].astype(float).replace([math.inf, -math.inf], math.nan)
    found.index = members.index
    return found


def _days(span: Any) -> Any:
    return span.dt.total_seconds() / 86400


def _with_history(series: pd.DataFrame) -> pd.DataFrame:
    """Add to each row what it takes from the rows before it."""
    rows = series.sort_values(["repository", "day"], ignore_index=True)
    of = rows.groupby("repository", sort=False)
    rows["last_commit"] = of.last_commit.cummax()
    rows["idle"] = _days(rows.day - rows.last_commit)
    before = of.last_commit.shift()
    rows["is_new"] = (rows.last_commit > before).astype(float).where(before.notna())
    rows["pause"] = _days(rows.last_commit - before).where(rows.last_commit != before)
    kept = of[list({*_SINCE.values(), "commits"})].ffill()
    earlier = kept.groupby(rows.repository, sort=False).shift()
    for name, column in _SINCE.items():
        grew = rows.day.where(kept[column] > earlier[column])
        rows[name] = _days(rows.day - grew.groupby(rows.repository, sort=False).ffill())
    apart = _days(rows.day - of.day.shift())
    rows["commits_a_month"] = (kept.commits - earlier.commits) / apart * MONTH_DAYS
    return rows


def _of_the_row(now: pd.DataFrame) -> dict[str, Any]:
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


def _of_lags(rows: pd.DataFrame, asked: pd.DataFrame, now: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    found: dict[str, Any] = {}
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
        wanted = asked.assign(at=asked.day - pd.Timedelta(days=lag)).sort_values("at")
        then = pd.merge_asof(
            wanted, older, left_on="at", right_on="then", by="repository",
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
        found |= {name: value for name, value in each.items() if name in FEATURES}
    return found


def _of_windows(rows: pd.DataFrame, asked: pd.DataFrame, now: pd.DataFrame) -> dict[str, Any]:
    import numpy as np

    columns = ["repository", "day", "last_commit", "idle", "is_new", "pause", "commits_a_month"]
    past = asked.merge(rows[columns].rename(columns={"day": "then"}), on="repository")
    past = past[past.then <= past.day]
    past["ago"] = _days(past.day - past.then)
    past["month"] = past.last_commit.dt.year * 12 + past.last_commit.dt.month
    found: dict[str, Any] = {}
    whole = past.groupby("member")
    found["longest_pause"] = whole.pause.max()
    found["usual_pause"] = whole.pause.median()
    found["idle_over_longest_pause"] = now.idle / (found["longest_pause"] + 7)
    for days in WINDOWS:
        inside = past[past.ago <= days].groupby("member")
        found[f"idle_median_{days}"] = inside.idle.median()
        found[f"idle_mean_{days}"] = inside.idle.mean()
        found[f"idle_max_{days}"] = inside.idle.max()
        found[f"fresh_share_{days}"] = inside.is_new.mean()
    for days in (365, 730):
        seen = past[(past.ago <= days) & (past.idle <= days)]
        found[f"active_months_{days}"] = seen.groupby("member").month.nunique()
    weight = np.exp(-past.ago / 120).where(past.idle.notna())
    smoothed = weight * np.log1p(past.idle.clip(lower=0))
    found["idle_smoothed"] = smoothed.groupby(past.member).sum() / weight.groupby(past.member).sum()
    flows = past[past.commits_a_month.notna()]
    for days in (200, 400, 800):
        flow = flows[flows.ago < days].groupby("member").commits_a_month
        found[f"commits_a_month_{days}"] = flow.mean()
        found[f"commits_median_{days}"] = flow.median()
        quiet = (flows.commits_a_month <= 0)[flows.ago < days]
        found[f"quiet_share_{days}"] = quiet.groupby(flows.member[flows.ago < days]).mean()
    year = flows[flows.ago < 400]  # a year and the slack of monthly rows
    found["commits_burst"] = year.groupby("member").commits_a_month.max() / (
        found["commits_a_month_400"] + 0.1
    )
    found["commits_trend"] = np.log1p(found["commits_a_month_200"].clip(lower=0)) - np.log1p(
        found["commits_a_month_800"].clip(lower=0)
    )
    near = flows[flows.ago < 730]  # two years
    weight = np.exp(-near.ago / 100)
    smoothed = weight * np.log1p(near.commits_a_month.clip(lower=0))
    found["commits_smoothed"] = smoothed.groupby(near.member).sum() / weight.groupby(near.member).sum()
    for busy in BUSY:
        found[f"days_since_busy_{busy}"] = flows[flows.commits_a_month >= busy].groupby("member").ago.min()
    return found
