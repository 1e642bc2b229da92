"""A panel of monthly rows: read it, select the active repositories of a day, and label their future."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from advisor.errors import InputError
from advisor.facts.database import open_database, parquet_sql
from advisor.facts.tables import STALE_DAYS
from advisor.files import read_text

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
YEAR = 365  # days
MONTHS_A_YEAR = 12
LABEL_FROM_DAYS, LABEL_TO_DAYS = -20, 130
GAP_DAYS = 95  # a longer gap between two rows may hide a commit
FEWEST_COMMITS = 12  # of a year; fewer cannot collapse
COLLAPSE_SHARE = 0.2
STALE_ROW_STARS = 1000

# One repository has one second of creation, whatever its name; a list may keep an old name, or both. A stale
# row repeats every count of the two rows before it, although a thousand people have starred the repository.
_ROWS = """
WITH given AS (
    SELECT {selection} FROM {source} WHERE repo IS NOT NULL AND snap IS NOT NULL GROUP BY repo, snap
),
named AS (
    SELECT * REPLACE (regexp_replace(rtrim(repository, '/'), '^https?://github.com/', '') AS repository)
    FROM given
),
identities AS (
    SELECT repository, min(day) AS first_day, max(day) AS last_day,
           coalesce(max(created) FILTER (created <> date_trunc('day', created))::VARCHAR, repository)
               AS identity
    FROM named GROUP BY repository
),
names AS (
    SELECT identity, arg_max(repository, last_day::VARCHAR || first_day::VARCHAR) AS name
    FROM identities GROUP BY identity
),
merged AS (
    SELECT s.name AS repository, n.day, {merge}
    FROM named AS n JOIN identities AS i USING (repository) JOIN names AS s ON s.identity = i.identity
    GROUP BY s.name, n.day
),
hashed AS (
    SELECT *, hash(stars, forks, watchers, open_issues, closed_issues, commits, contributors, change_requests)
              AS counts
    FROM merged
)
SELECT {columns} FROM hashed
WINDOW w AS (PARTITION BY repository ORDER BY day)
QUALIFY coalesce(stars, 0) < {stars} OR NOT coalesce(
    counts = lag(counts) OVER w AND counts = lag(counts, 2) OVER w, FALSE)
ORDER BY repository, day
"""


def read_panel(path: Path) -> pd.DataFrame:
    """Read a panel: a Parquet file with one row per repository, list and month.

    Returns:
        One row per repository and day, in that order. A renamed repository has its newest name in all rows;
        rows that a list no longer updates are left out. Columns as in `COLUMNS`: ``repository`` and
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
                _ROWS.format(
                    selection=", ".join(selection),
                    source=source,
                    merge=", ".join(
                        f"{'max' if aggregate == 'any_value' else aggregate}(n.{name}) AS {name}"
                        for name, (_, aggregate) in COLUMNS.items()
                        if name not in {"repository", "day"}
                    ),
                    columns=", ".join(COLUMNS),
                    stars=STALE_ROW_STARS,
                )
            ).df()
        except duckdb.Error as error:
            raise InputError(f"{path}: {str(error).splitlines()[0]}") from None


def read_names(path: Path, series: pd.DataFrame) -> frozenset[str]:
    """Read repositories of a panel, one ``owner/name`` a line; a line may be empty or a comment with ``#``.

    Raises:
        InputError: the file cannot be read, a line is no repository, or the panel does not have it.
    """
    lines = read_text(path).splitlines()
    names = {number: line.split("#")[0].strip() for number, line in enumerate(lines, start=1)}
    for number, name in names.items():
        if name and (name.count("/") != 1 or name.startswith("/") or name.endswith("/")):
            raise InputError(f"{path}, line {number}: {name!r} is no repository: expected owner/name")
    repositories = frozenset(name for name in names.values() if name)
    if unknown := sorted(repositories - set(series.repository)):
        raise InputError(
            f"{path}: the panel has no rows of {', '.join(unknown[:3])}"
            + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
            + "; a renamed repository has its newest name"
        )
    return repositories


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


def label_abandonment(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.Series[float]:
    """Return the label of each member some months later: 1 abandoned, 0 not, NaN unknown.

    Abandoned on a day: no commit on the default branch in the 365 days before it. The label is known if the
    panel has a row between 20 days before and 130 days after ``as_of`` plus the months. If that row shows a
    commit after the day, the row before it shows the last commit that counts; that row must be at most 95
    days older than the day if it shows no commit in the year. A panel does not show who made a commit,
    declared ends and archived repositories; the rules know these.

    Returns:
        One value per row of ``members``, with its index.
    """
    import numpy as np
    import pandas as pd

    day = members.as_of + pd.DateOffset(months=months)
    year_before = day - pd.Timedelta(days=YEAR)
    later = _rows_near(series, members, day)
    earlier = find_rows(series, members, day - pd.Timedelta(days=1 - LABEL_FROM_DAYS), "backward", None)
    is_after = later.last_commit > day
    is_silent = np.where(is_after, earlier.last_commit < year_before, later.last_commit < year_before)
    is_unknown = later.last_commit.isna() | (
        is_after & (earlier.last_commit < year_before) & (day - earlier.day > pd.Timedelta(days=GAP_DAYS))
    )
    return pd.Series(is_silent, members.index).astype(float).where(~is_unknown)


def label_collapse(series: pd.DataFrame, members: pd.DataFrame, months: int) -> pd.Series[float]:
    """Return the label of each member some months later: 1 collapsed, 0 not, NaN unknown.

    Collapsed on a day: the year before it had less than a fifth of the commits of the year before ``as_of``.
    Both years come from the total of commits in the rows nearest to their ends, scaled to 365 days. NaN too
    for a member with fewer than 12 commits in the year before ``as_of``.

    Returns:
        One value per row of ``members``, with its index.
    """
    import pandas as pd

    now = find_rows(series, members, members.day, "backward", 0)
    before = find_rows(series, members, members.day - pd.Timedelta(days=YEAR), "nearest", 75)
    later = _rows_near(series, members, members.as_of + pd.DateOffset(months=months))
    start = now if months == MONTHS_A_YEAR else None
    if start is None:
        start = _rows_near(series, members, members.as_of + pd.DateOffset(months=months - MONTHS_A_YEAR))
    past, future = _commits_a_year(before, now), _commits_a_year(start, later)
    is_known = (past >= FEWEST_COMMITS) & (future >= 0)
    return (future < COLLAPSE_SHARE * past).astype(float).where(is_known)


def _commits_a_year(start: pd.DataFrame, end: pd.DataFrame) -> pd.Series[float]:
    days = (end.day - start.day).dt.total_seconds() / 86400
    yearly: pd.Series[float] = (end.commits - start.commits) * YEAR / days.where(days > 0)
    return yearly


def _rows_near(series: pd.DataFrame, members: pd.DataFrame, day: pd.Series[Any]) -> pd.DataFrame:
    """Return the first row of each member from 20 days before to 130 days after a day."""
    import pandas as pd

    start = day + pd.Timedelta(days=LABEL_FROM_DAYS)
    return find_rows(series, members, start, "forward", LABEL_TO_DAYS - LABEL_FROM_DAYS)


def find_rows(
    series: pd.DataFrame,
    members: pd.DataFrame,
    at: pd.Series[Any],
    direction: Literal["backward", "forward", "nearest"],
    within_days: int | None,
    columns: Sequence[str] = ("day", "last_commit", "commits"),
) -> pd.DataFrame:
    """Return columns of a row of each member before, after or near a day; NaT and NaN if there is none.

    Only rows with a known last commit count.
    """
    import pandas as pd

    selection = ["repository", *(c for c in columns if c in series)]
    rows = series.loc[series.last_commit.notna(), selection].sort_values("day")
    targets = members[["repository"]].assign(at=at).reset_index().sort_values("at")
    nearest = pd.merge_asof(
        targets,
        rows,
        left_on="at",
        right_on="day",
        by="repository",
        direction=direction,
        tolerance=None if within_days is None else pd.Timedelta(days=within_days),
    )
    return nearest.set_index("index").sort_index()
