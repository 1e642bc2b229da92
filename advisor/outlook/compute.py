"""Compute the features of a repository from its monthly rows up to a day, in SQL.

A feature uses only the row of the day and older rows of the same repository. NULL or NaN: unknown, or the
history is too short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.facts.database import open_database
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
_OF_THE_ROW = (
    "commits", "recent_commits", "contributors", "stars", "forks", "watchers", "open_issues",
    "closed_issues", "change_requests", "releases", "dependents", "downloads",
)  # fmt: skip
_OF_A_LAG = (
    "closed_issues", "open_issues", "change_requests", "contributors", "releases", "stars", "downloads",
)  # fmt: skip
_SECONDS = 86400


def compute_features(series: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Return the features of each member on the day of its row.

    Args:
        series: rows as `panel.read_panel` returns them, ordered by repository and day.
        members: ``repository`` and ``day``, each pair a row of ``series``.

    Returns:
        One row per member, in order and with its index; one float64 column per feature; NaN: unknown.
    """
    keys = members[["repository", "day"]].assign(member=range(len(members)))
    with open_database([], {"threads": 1}) as db:  # so that sums have one order
        db.register("series", series)
        db.register("members", keys)
        features: pd.DataFrame = db.execute(f"WITH {features_sql()} FROM features ORDER BY member").df()
    features = features[list(FEATURES)].astype(float)
    features.index = members.index
    return features


def features_sql() -> str:
    """Return SQL of the table ``features``, to follow WITH: ``member`` and one DOUBLE for each feature.

    It reads ``series``, the rows as `panel.read_panel` describes them, and ``members``: ``member`` (a
    number), ``repository`` and ``day``, each pair a row of ``series``.
    """
    row, lags, windows = _row_features(), _lag_features(), _window_features()
    columns = ", ".join(f"{_finite({**row, **lags, **windows}[name])} AS {name}" for name in FEATURES)
    return f"""
    {_history_sql()},
    now AS MATERIALIZED (
        SELECT m.member, h.* FROM members AS m LEFT JOIN history AS h USING (repository, day)
    ),
    {_lags_sql()},
    {_windows_sql()},
    features AS (
        SELECT n.member, {columns}
        FROM now AS n LEFT JOIN windows AS w USING (member)
             {" ".join(f"LEFT JOIN lag_{lag} AS l{lag} USING (member)" for lag in LAGS)}
    )"""


def _days(end: str, start: str) -> str:
    return f"((epoch_us({end}) - epoch_us({start})) / 1e6 / {_SECONDS})"


def _finite(value: str) -> str:
    """Return NULL for a division by zero."""
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _number(column: str) -> str:
    """Return the column as DOUBLE; a data frame has NaN for NULL."""
    return f"CASE WHEN NOT isnan({column}::DOUBLE) THEN {column}::DOUBLE END AS {column}"


def _history_sql() -> str:
    """Return the tables up to ``history``: the rows with the columns that depend on the rows before each."""
    totals = (*_SINCE.values(), "commits")
    known = ", ".join(f"last_value({name} IGNORE NULLS) OVER up_to AS total_{name}" for name in totals)
    growth = ", ".join(
        f"CASE WHEN total_{column} > lag(total_{column}) OVER w THEN day END AS grown_{name}"
        for name, column in _SINCE.items()
    )
    since = ", ".join(f"{_days('day', f'max(grown_{name}) OVER up_to')} AS {name}" for name in _SINCE)
    return f"""
    numbers AS (
        SELECT repository, day, created, last_release, {", ".join(map(_number, _OF_THE_ROW))},
               CASE WHEN last_commit IS NOT NULL THEN max(last_commit) OVER up_to END AS last_commit
        FROM series WHERE repository IN (SELECT repository FROM members)
        WINDOW up_to AS (PARTITION BY repository ORDER BY day)
    ),
    totals AS (
        SELECT *, {_days("day", "last_commit")} AS idle, lag(last_commit) OVER w AS before,
               lag(day) OVER w AS day_before, {known}
        FROM numbers
        WINDOW w AS (PARTITION BY repository ORDER BY day), up_to AS (PARTITION BY repository ORDER BY day)
    ),
    growth AS (
        SELECT *, {growth},
               CASE WHEN before IS NOT NULL THEN coalesce(last_commit > before, FALSE)::INT END AS is_new,
               CASE WHEN last_commit <> before THEN {_days("last_commit", "before")} END AS pause,
               (total_commits - lag(total_commits) OVER w) / {_days("day", "day_before")} * {MONTH_DAYS}
                   AS commits_a_month
        FROM totals WINDOW w AS (PARTITION BY repository ORDER BY day)
    ),
    history AS MATERIALIZED (
        SELECT *, {since} FROM growth WINDOW up_to AS (PARTITION BY repository ORDER BY day)
    )"""


def _row_features() -> dict[str, str]:
    age = _days("n.day", "n.created")
    return {
        "idle_days": "n.idle",
        "idle_share_of_age": f"n.idle / {age}",
        "age_days": age,
        "release_age": _days("n.day", "n.last_release"),
        "commit_after_release": _days("n.last_commit", "n.last_release"),
        "commits_a_day": f"n.commits / {age}",
        "commits_per_contributor": "n.commits / n.contributors",
        "open_issue_share": "n.open_issues / (coalesce(n.open_issues, 0) + coalesce(n.closed_issues, 0))",
        "releases_a_day": f"n.releases / {age}",
        "stars_a_day": f"n.stars / {age}",
        "forks_per_star": "n.forks / n.stars",
        **{name: f"n.{name}" for name in (*_SINCE, *_OF_THE_ROW)},
    }


def _lags_sql() -> str:
    """Return a table for each lag: the row nearest to it, and the span between."""
    ago = f"abs({_days('n.day', 'h.day')} - {{lag}})"
    return ", ".join(
        f"""lag_{lag} AS (
        SELECT member, {", ".join(f"h.{name}" for name in _OF_A_LAG)}, {_days("n.day", "h.day")} AS span
        FROM now AS n JOIN history AS h USING (repository)
        WHERE {ago.format(lag=lag)} <= {tolerance}
        QUALIFY row_number() OVER (PARTITION BY member ORDER BY {ago.format(lag=lag)}, h.day) = 1
    )"""
        for lag, tolerance in LAGS.items()
    )


def _lag_features() -> dict[str, str]:
    features: dict[str, str] = {}
    for lag in LAGS:
        more = {name: f"((n.{name} - l{lag}.{name}) / l{lag}.span * {lag})" for name in _OF_A_LAG}
        growth = {name: f"{more[name]} / (l{lag}.{name} + 1)" for name in _OF_A_LAG}
        threads = f"coalesce({more['closed_issues']}, 0) + coalesce({more['open_issues']}, 0)"
        features |= {
            f"issues_closed_{lag}": more["closed_issues"],
            f"star_growth_{lag}": growth["stars"],
            f"open_issues_more_{lag}": more["open_issues"],
            f"threads_{lag}": f"CASE WHEN l{lag}.span IS NOT NULL THEN {threads} END",
            f"change_requests_{lag}": more["change_requests"],
            f"newcomers_{lag}": more["contributors"],
            f"newcomer_growth_{lag}": growth["contributors"],
            f"releases_{lag}": more["releases"],
            f"downloads_growth_{lag}": growth["downloads"],
        }
    return features


_FLOWS = (200, 400, 800)  # days; a year has 400, because rows are monthly
_TWO_YEARS = 730  # days


def _windows_sql() -> str:
    """Return the table ``windows``: the aggregates over the rows of each member up to its day."""
    columns = {
        "longest_pause": "max(pause)",
        "usual_pause": "median(pause)",
        **{
            name: f"{function} FILTER (ago <= {days})"
            for days in WINDOWS
            for name, function in (
                (f"idle_median_{days}", "median(idle)"),
                (f"idle_mean_{days}", "avg(idle)"),
                (f"idle_max_{days}", "max(idle)"),
                (f"fresh_share_{days}", "avg(is_new)"),
            )
        },
        **{
            f"active_months_{days}": (
                f"nullif(count(DISTINCT month) FILTER (ago <= {days} AND idle <= {days}), 0)"
            )
            for days in (365, _TWO_YEARS)
        },
        "idle_smoothed": _recent_mean("idle", "idle IS NOT NULL", 120),
        **{
            name: f"{function} FILTER (ago < {days} AND flow IS NOT NULL)"
            for days in _FLOWS
            for name, function in (
                (f"commits_a_month_{days}", "avg(flow)"),
                (f"commits_median_{days}", "median(flow)"),
                (f"quiet_share_{days}", "avg((flow <= 0)::INT)"),
            )
        },
        "busiest_month": "max(flow) FILTER (ago < 400)",
        "commits_smoothed": _recent_mean("flow", f"flow IS NOT NULL AND ago < {_TWO_YEARS}", 100),
        **{f"days_since_busy_{busy}": f"min(ago) FILTER (flow >= {busy})" for busy in BUSY},
    }
    return f"""
    past AS (
        SELECT n.member, {_days("n.day", "h.day")} AS ago, h.idle, h.is_new, h.pause,
               h.commits_a_month AS flow, date_trunc('month', h.last_commit) AS month
        FROM now AS n JOIN history AS h ON h.repository = n.repository AND h.day <= n.day
        ORDER BY n.member, h.day
    ),
    windows AS (
        SELECT member, {", ".join(f"{sql} AS {name}" for name, sql in columns.items())}
        FROM past GROUP BY member
    )"""


def _recent_mean(column: str, condition: str, days: int) -> str:
    """Return the mean of log(1 + column), in which a row of so many days ago has the weight 1/e."""
    weight = f"exp(-ago / {days})"
    return f"sum({weight} * {_log(column)}) FILTER ({condition}) / sum({weight}) FILTER ({condition})"


def _log(column: str) -> str:
    """Return log(1 + column), with 0 for less than 0; NULL stays NULL."""
    return f"CASE WHEN {column} IS NOT NULL THEN ln(1 + greatest({column}, 0)) END"


def _window_features() -> dict[str, str]:
    same = [name for name in FEATURES if name.startswith(_PREFIXES)]
    return {
        **{name: f"w.{name}" for name in same},
        "longest_pause": "w.longest_pause",
        "usual_pause": "w.usual_pause",
        "idle_over_longest_pause": "n.idle / (w.longest_pause + 7)",
        "idle_smoothed": "w.idle_smoothed",
        "commits_burst": "w.busiest_month / (w.commits_a_month_400 + 0.1)",
        "commits_trend": f"{_log('w.commits_a_month_200')} - {_log('w.commits_a_month_800')}",
        "commits_smoothed": "w.commits_smoothed",
    }


_PREFIXES = (
    "idle_median_", "idle_mean_", "idle_max_", "fresh_share_", "active_months_", "commits_a_month_",
    "commits_median_", "quiet_share_", "days_since_busy_",
)  # fmt: skip
