"""The reference population: percentiles of what a panel knows of libraries, by age and size.

    python scripts/build_reference.py PANEL.parquet --at 2024-06-01 -o data/reference/population.csv

Counted are the libraries active in the 90 days before the day. A flow is the change of a total over a
year, scaled to 365 days. Rows: metric, age, size, n, p05 … p95; the panel itself is not shipped.
"""

from __future__ import annotations

import argparse
import csv
from datetime import date
from pathlib import Path

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
FEWEST = 30  # a cell with fewer libraries is left out


def metrics(series: pd.DataFrame, at: date) -> pd.DataFrame:
    """Our metrics, by their names, of every library active before the day; with ``age`` and ``size``."""
    members = panel.cohort(series, at)
    year_ago = panel.cohort(series, date(at.year - 1, at.month, at.day), active_days=10**5)
    values = compute.features(series, members)
    before = compute.features(series, year_ago).set_index(year_ago.repository)
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


def main() -> None:
    """Read the panel, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("--at", type=date.fromisoformat, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    table = metrics(panel.read_panel(given.panel), given.at)
    with given.output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["metric", "as_of", "age", "size", "n", *(f"p{p:02}" for p in PERCENTILES)])
        for metric in table.columns.drop(["age", "size"]):
            for age, (young, old) in AGES.items():
                for size, (small, large) in SIZES.items():
                    inside = (
                        (table.age >= young)
                        & (table.age < old)
                        & (table["size"] >= small)
                        & (table["size"] < large)
                    )
                    known = table.loc[inside, metric].dropna()
                    if len(known) >= FEWEST:
                        cut = [f"{q:.4g}" for q in np.percentile(known, PERCENTILES)]
                        writer.writerow([metric, given.at, age, size, len(known), *cut])


if __name__ == "__main__":
    main()
