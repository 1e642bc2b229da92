"""A panel of monthly rows: read it, select the active repositories of a day, and label their future."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import InputError
from advisor.facts.database import open_database, parquet_sql
from advisor.facts.tables import STALE_DAYS

if TYPE_CHECKING:
    import pandas as pd

# our name → (column of the panel, SQL aggregate over the rows of one day from several lists)
COLUMNS: Mapping[str, tuple[str, str]] = {
    "repository": ("repo", "any_value"),
    "day": ("snap", "any_value"),
    "category": ("category", "min"),
    "created": ("created_at", "min"),
    "last_commit": ("last_commit_pushed_at", "max"),
    "last_release": ("latest_stable_release_published_at", "max"),
    "commits": ("commit_count", "max"),
    "recent_commits": ("recent_commit_count", "max"),
    "contributors": ("contributor_count", "max"),
    "stars": ("star_count", "max"),
    "forks": ("fork_count", "max"),
    "watchers": ("watchers_count", "max"),
    "open_issues": ("open_issue_count", "max"),
    "closed_issues": ("closed_issue_count", "max"),
    "change_requests": ("pr_count", "max"),
    "releases": ("release_count", "max"),
    "dependents": ("dependent_project_count", "max"),
    "downloads": ("monthly_downloads", "max"),
}
DATES = ("day", "created", "last_commit", "last_release")
LABEL_FROM_DAYS, LABEL_TO_DAYS = -20, 130


def read_panel(path: Path) -> pd.DataFrame:
    """Read a panel: a Parquet file with one row per repository, list and month.

    Returns:
        One row per repository and day, in that order. Columns as in `COLUMNS`: ``repository`` and
        ``category`` str, the dates datetime64 (NaT: unknown), the counts float64 (NaN: unknown or
        blank in the list, which does not write zeros).

    Raises:
        InputError: the file cannot be read or does not have a column.
    """
    import duckdb

    source = parquet_sql([path])
    with open_database([path.parent]) as db:
        try:
            description = db.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        except duckdb.Error as error:
            raise InputError(f"cannot read {path} as Parquet: {str(error).splitlines()[0]}") from None
        missing = sorted({column for column, _ in COLUMNS.values()} - {row[0] for row in description})
        if missing:
            raise InputError(
                f"{path} does not have the columns {', '.join(missing)}; see docs/explanation/method.md"
            )
        selection = []
        for name, (column, aggregate) in COLUMNS.items():
            kind = "TIMESTAMP" if name in DATES else "VARCHAR" if aggregate != "max" else "DOUBLE"
            selection.append(f"{aggregate}({column}::{kind}) AS {name}")
        try:
            return db.execute(
                f"SELECT {', '.join(selection)} FROM {source}"
                " WHERE repo IS NOT NULL AND snap IS NOT NULL GROUP BY repo, snap ORDER BY repo, snap"
            ).df()
        except duckdb.Error as error:
            raise InputError(f"{path}: {str(error).splitlines()[0]}") from None


def select_cohort(series: pd.DataFrame, at: date, active_days: int = 90) -> pd.DataFrame:
    """Select the repositories that were active on a day.

    Active: the newest row in the 62 days before ``at`` has a commit on the default branch that is
    at most ``active_days`` old on the day of that row.

    Returns:
        One row per repository: ``repository``, ``category``, ``as_of`` (``at``), ``day`` and
        ``last_commit`` of the newest row, ``idle_days``.
    """
    import pandas as pd

    end = pd.Timestamp(at)
    near = series[(series.day <= end) & (series.day >= end - pd.Timedelta(days=STALE_DAYS))]
    newest = near[near.last_commit.notna()].groupby("repository", sort=True).tail(1)
    members = newest[["repository", "category", "day", "last_commit"]].copy()
    members["as_of"] = end
    members["idle_days"] = (members.day - members.last_commit).dt.total_seconds() / 86400
    return members[members.idle_days < active_days + 1].reset_index(drop=True)


def label_inactive(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.Series[float]:
    """Return the label of each member some months later: 1 inactive, 0 active, NaN unknown.

    Inactive: the first row between 20 days before and 130 days after ``as_of`` plus the months has the same
    last commit on the default branch as the member's own row.

    Returns:
        One value per row of ``members``, with its index.
    """
    later = _rows_after(series, members, months)
    return (later.last_commit_later <= later.last_commit).astype(float).where(later.last_commit_later.notna())


def label_dead(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.Series[float]:
    """Return the stricter label of the selection test: 1 if the last commit is more than a year old.

    The row is the same as in `label_inactive`. So a library that was still maintained for some months
    and then abandoned counts as dead too.
    """
    later = _rows_after(series, members, months)
    idle = (later.day_later - later.last_commit_later).dt.total_seconds() / 86400
    return (idle > 365).astype(float).where(later.last_commit_later.notna())  # a year


def _rows_after(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.DataFrame:
    import pandas as pd

    rows = series.loc[series.last_commit.notna(), ["repository", "day", "last_commit"]]
    targets = members[["repository", "as_of", "last_commit"]].copy()
    targets["from"] = targets.as_of + pd.DateOffset(months=months) + pd.Timedelta(days=LABEL_FROM_DAYS)
    later = pd.merge_asof(
        targets.reset_index().sort_values("from"),
        rows.sort_values("day"),
        left_on="from",
        right_on="day",
        by="repository",
        direction="forward",
        tolerance=pd.Timedelta(days=LABEL_TO_DAYS - LABEL_FROM_DAYS),
        suffixes=("", "_later"),
    )
    return later.set_index("index").rename(columns={"day": "day_later"}).sort_index()
