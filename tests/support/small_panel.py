"""A generated panel: libraries with regular or ending commits, as monthly rows of two lists."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from advisor.outlook.panel import COLUMNS

FIRST, MONTHS = pd.Timestamp(2021, 1, 28), 48


def rows(libraries: int = 60, seed: int = 0) -> pd.DataFrame:
    """Return rows with the columns of a panel; each library has its own pace and may stop."""
    chance = np.random.default_rng(seed)
    records = []
    for i in range(libraries):
        pace = chance.choice([1, 5, 30, 60])
        stop = FIRST + timedelta(days=int(chance.integers(200, 1300)) if pace > 1 else 5000)
        created = FIRST - timedelta(days=int(chance.integers(100, 2000)))
        for month in range(MONTHS):
            day = FIRST + timedelta(days=30 * month)
            alive_until = min(day, stop)
            last = alive_until - timedelta(days=float(chance.uniform(0, pace)))
            commits = int((alive_until - created).days / pace) + 1
            row = {
                "snap": day, "repo": f"owner{i % 7}/lib{i}", "category": f"c{i % 3}", "created_at": created,
                "last_commit_pushed_at": max(last, created), "latest_stable_release_published_at": created,
                "commit_count": commits, "recent_commit_count": 90 // pace, "contributor_count": 1 + commits // 50,
                "star_count": 10 * i + month, "fork_count": i + 1, "watchers_count": 5, "open_issue_count": 10,
                "closed_issue_count": commits // 3 + 1, "pr_count": commits // 4 + 1,
                "release_count": 1 + commits // 100, "dependent_project_count": None, "monthly_downloads": 100 * i,
                "pypi_monthly_downloads": 90 * i,
            }  # fmt: skip
            records += [{"list": "one", **row}] + ([{"list": "two", **row}] if i % 5 == 0 else [])
    return pd.DataFrame(records)


def write(path: Path, table: pd.DataFrame) -> Path:
    """Write the rows to a Parquet file and return its path."""
    with duckdb.connect() as db:
        db.register("panel_rows", table)
        db.execute(f"COPY panel_rows TO '{path}' (FORMAT parquet)")
    return path


assert {column for column, _ in COLUMNS.values()} <= set(rows(1).columns)
