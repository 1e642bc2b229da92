"""Build the reference population: percentiles of the figures of a panel.

    python scripts/build_reference.py PANEL.parquet --at 2024-06-01 -o data/reference/percentiles.json

The file has two cohorts. ``active``: the libraries active in the 90 days before the day, by age and size.
A figure per year is the change of a total over a year, scaled to 365 days. ``listed``: all libraries in the
last month of the panel, active or not. Stars gained are those since the same month of the year before, for
repositories in both months. `advisor.domain.percentiles` reads the file. The panel is not part of advisor.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from advisor.outlook import compute, panel

PERCENTILES = (5, 10, 25, 50, 75, 90, 95)
AGES = {
    "all": (0.0, np.inf),
    "under 2 years": (0.0, 730.0),
    "2 to 5 years": (730.0, 1826.0),
    "5 years and more": (1826.0, np.inf),
}
SIZES = {
    "all": (0.0, np.inf),
    "under 300 stars": (0.0, 300.0),
    "300 to 3000 stars": (300.0, 3000.0),
    "3000 stars and more": (3000.0, np.inf),
}
# The cohort ``listed``: our name → aggregate of a column of the panel over the lists.
FIGURES = {
    "stars": "max(star_count)",
    "contributors_ever": "max(contributor_count)",
    "downloads_30d": "max(pypi_monthly_downloads)",
    "closed_issues": "max(closed_issue_count)",
    "change_requests": "max(pr_count)",
}
MIN_LIBRARIES = 30  # a cell with fewer libraries is omitted


def compute_metrics(series: pd.DataFrame, at: date) -> pd.DataFrame:
    """Return our metrics of every library active before the day, with ``age`` and ``size``."""
    members = panel.select_cohort(series, at)
    year_ago = panel.select_cohort(series, date(at.year - 1, at.month, at.day), active_days=10**5)
    values = compute.compute_features(series, members)
    before = compute.compute_features(series, year_ago).set_index(year_ago.repository)
    yearly = 365 / 30 * values.commits_a_month_400
    then = 365 / 30 * before.commits_a_month_400.reindex(members.repository).to_numpy()
    return pd.DataFrame(
        {
            "age": values.age_days,
            "size": values.stars,
            "code_changes_commits": yearly,
            "days_since_last_commit": values.idle_days,
            "downloads": values.downloads,
            "forks": values.forks,
            "issues_closed_share": 1 - values.open_issue_share,
            "new_contributors": values.newcomers_365,
            "open_issues": values.open_issues,
            "release_frequency": values.releases_365,
            "stars": values.stars,
            "stars_growth": values.star_growth_365,
            "trend": (yearly / then).replace([np.inf, -np.inf], np.nan),
        }
    )


def build_active_cohort(panel_file: Path, at: date) -> dict[str, Any]:
    """Return the cohort of active libraries, as a JSON `advisor.domain.percentiles.Cohort`."""
    table = compute_metrics(panel.read_panel(panel_file), at)
    cells = []
    for metric in table.columns.drop(["age", "size"]):
        for age, (young, old) in AGES.items():
            for size, (small, large) in SIZES.items():
                inside = (
                    (table.age >= young)
                    & (table.age < old)
                    & (table["size"] >= small)
                    & (table["size"] < large)
                )
                figures = table.loc[inside, metric].dropna()
                if len(figures) >= MIN_LIBRARIES:
                    values = [float(f"{q:.4g}") for q in np.percentile(figures, PERCENTILES)]
                    cells.append(_cell(metric, age, size, len(figures), values))
    return _cohort(at, "active in the 90 days before", PERCENTILES, cells)


def build_listed_cohort(panel_file: Path) -> dict[str, Any]:
    """Return the cohort of all libraries in the last month of the panel."""
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE monthly AS SELECT repo, date_trunc('month', snap)::DATE AS month,"
            + ", ".join(f"{sql} AS {name}" for name, sql in FIGURES.items())
            + " FROM read_parquet($1) GROUP BY ALL",
            [str(panel_file)],
        )
        db.execute(
            "CREATE TABLE latest AS SELECT now.*, now.stars - past.stars AS stars_gained FROM monthly AS now"
            " LEFT JOIN monthly AS past ON past.repo = now.repo AND past.month = now.month - INTERVAL 1 YEAR"
            " WHERE now.month = (SELECT max(month) FROM monthly)"
        )
        (month,) = db.execute("SELECT any_value(month) FROM latest").fetchone()
        cells = []
        for name in (*FIGURES, "stars_gained"):
            n, values = db.execute(
                f"SELECT count({name}), quantile_cont({name}, [i / 100 FOR i IN range(101)]) FROM latest"
            ).fetchone()
            cells.append(_cell(name, "all", "all", n, [round(v, 1) for v in values]))
    return _cohort(month, "on one of the lists in this month", range(101), cells)


def _cell(metric: str, age: str, size: str, n: int, values: list[float]) -> dict[str, Any]:
    return {"metric": metric, "age": age, "size": size, "n": n, "values": values}


def _cohort(day: date, libraries: str, percents: Any, cells: list[dict[str, Any]]) -> dict[str, Any]:
    return {"as_of": day.isoformat(), "libraries": libraries, "percents": list(percents), "cells": cells}


def main() -> None:
    """Read the panel and write the file, one line per cell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("--at", type=date.fromisoformat, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    cohorts = {
        "active": build_active_cohort(options.panel, options.at),
        "listed": build_listed_cohort(options.panel),
    }
    options.output.write_text(json.dumps(cohorts).replace('{"metric"', '\n{"metric"') + "\n")


if __name__ == "__main__":
    main()
