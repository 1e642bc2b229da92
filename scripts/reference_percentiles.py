"""Percentiles of a population of libraries → data/reference/percentiles.json.

Usage: python scripts/reference_percentiles.py PANEL.parquet OUT

PANEL has one row a repository, list and month (columns repo, snap, star_count, contributor_count,
pypi_monthly_downloads, closed_issue_count, pr_count). The last month is the population; stars gained
are those since the same month a year before, for repositories in both.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

FIGURES = {
    "stars": "max(star_count)",
    "contributors_ever": "max(contributor_count)",
    "downloads_30d": "max(pypi_monthly_downloads)",
    "closed_issues": "max(closed_issue_count)",
    "change_requests": "max(pr_count)",
}


def main() -> None:
    panel, out = sys.argv[1:]
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE monthly AS SELECT repo, date_trunc('month', snap)::DATE AS month,"
            + ", ".join(f"{sql} AS {name}" for name, sql in FIGURES.items())
            + " FROM read_parquet($1) GROUP BY ALL",
            [panel],
        )
        db.execute(
            "CREATE TABLE latest AS SELECT now.*, now.stars - past.stars AS stars_gained FROM monthly AS now"
            " LEFT JOIN monthly AS past ON past.repo = now.repo AND past.month = now.month - INTERVAL 1 YEAR"
            " WHERE now.month = (SELECT max(month) FROM monthly)"
        )
        month = db.execute("SELECT any_value(month) FROM latest").fetchone()[0]
        found = {}
        for name in (*FIGURES, "stars_gained"):
            n, values = db.execute(
                f"SELECT count({name}), quantile_cont({name}, [i / 100 FOR i IN range(101)]) FROM latest"
            ).fetchone()
            found[name] = {"n": n, "values": [round(v, 1) for v in values]}
    text = json.dumps(
        {
            "month": str(month)[:7],
            "source": "18 public best-of lists, their last month in common; development split of the panel",
            "figures": found,
        }
    )
    Path(out).write_text(text.replace('}, "', '},\n "') + "\n")


if __name__ == "__main__":
    main()
