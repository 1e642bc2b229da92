"""A panel of monthly rows: read it, say who was active on a day, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# our name → (column of the panel, how rows of the same day from several lists are joined)
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
LOOK_BACK_DAYS = 62
LABEL_FROM_DAYS, LABEL_TO_DAYS = -20, 130


def read_panel(path: Path) -> pd.DataFrame:
    """Read a panel: one row a repository, list and month, in Parquet.

    Returns:
        One row a repository and day, in that order. Columns as in `COLUMNS`: ``repository`` and
        ``category`` str, the dates datetime64 (NaT: unknown), the counts float64 (NaN: unknown or
        blank in the list, which leaves out zeros).

    Raises:
        InputError: the file cannot be read or lacks a column.
    """
    import duckdb

    source = str(path).replace("'", "''")
    with duckdb.connect() as db:
        try:
            found = db.execute(f"DESCRIBE SELECT * FROM read_parquet('{source}')").fetchall()
        except duckdb.Error as error:
            raise InputError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
        lacking = sorted({column for column, _ in COLUMNS.values()} - {row[0] for row in found})
        if lacking:
            raise InputError(f"{path} lacks the columns {', '.join(lacking)}; see docs/explanation/method.md")
        picked = []
        for name, (column, joined) in COLUMNS.items():
            kind = "TIMESTAMP" if name in DATES else "VARCHAR" if joined != "max" else "DOUBLE"
            picked.append(f"{joined}({column}::{kind}) AS {name}")
        try:
            return db.execute(
                f"SELECT {', '.join(picked)} FROM read_parquet('{source}')"
                " WHERE repo IS NOT NULL AND snap IS NOT NULL GROUP BY repo, snap ORDER BY repo, snap"
            ).df()
        except duckdb.Error as error:
            raise InputError(f"{path}: {str(error).splitlines()[0]}") from None


def cohort(series: pd.DataFrame, at: date, active_days: int = 90) -> pd.DataFrame:
    """The repositories that were active on a day.

    Active: the newest row in the 62 days before ``at`` shows a commit on the default branch that is
    at most ``active_days`` old on the day of that row.

    Returns:
        One row a repository: ``repository``, ``category``, ``as_of`` (``at``), ``day`` and
        ``last_commit`` of the newest row, ``idle_days``.
    """
    import pandas as pd

    end = pd.Timestamp(at)
    near = series[(series.day <= end) & (series.day >= end - pd.Timedelta(days=LOOK_BACK_DAYS))]
    newest = near[near.last_commit.notna()].groupby("repository", sort=True).tail(1)
    found = newest[["repository", "category", "day", "last_commit"]].copy()
    found["as_of"] = end
    found["idle_days"] = (found.day - found.last_commit).dt.total_seconds() / 86400
    return found[found.idle_days < active_days + 1].reset_index(drop=True)


def inactive_after(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.Series[float]:
    """What became of them: 1 inactive, 0 active, NaN unknown.

    Inactive: the first row between 20 days before and 130 days after ``as_of`` plus the months shows
    no commit on the default branch later than the one that the member's own row shows.

    Returns:
        One value a row of ``members``, with its index.
    """
    later = _rows_after(series, members, months)
    return (later.last_commit_later <= later.last_commit).astype(float).where(later.last_commit_later.notna())


def dead_after(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.Series[float]:
    """The stricter look back of the selection test: 1 if idle for more than a year by then.

    The row is the same as in `inactive_after`; a library that was still kept up for some months
    and then left counts as dead too.
    """
    later = _rows_after(series, members, months)
    idle = (later.day_later - later.last_commit_later).dt.total_seconds() / 86400
    return (idle > 365).astype(float).where(later.last_commit_later.notna())  # a year


def _rows_after(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.DataFrame:
    import pandas as pd

    known = series.loc[series.last_commit.notna(), ["repository", "day", "last_commit"]]
    wanted = members[["repository", "as_of", "last_commit"]].copy()
    wanted["from"] = wanted.as_of + pd.DateOffset(months=months) + pd.Timedelta(days=LABEL_FROM_DAYS)
    found = pd.merge_asof(
        wanted.reset_index().sort_values("from"),
        known.sort_values("day"),
        left_on="from",
        right_on="day",
        by="repository",
        direction="forward",
        tolerance=pd.Timedelta(days=LABEL_TO_DAYS - LABEL_FROM_DAYS),
        suffixes=("", "_later"),
    )
    return found.set_index("index").rename(columns={"day": "day_later"}).sort_index()
