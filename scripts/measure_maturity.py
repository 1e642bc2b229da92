"""Measure how many old libraries with few commits were abandoned 24 months later, with and without dependents.

    python scripts/measure_maturity.py PANEL.parquet

It counts the libraries that the rule `mature` in data/rules/library.toml is about, on the first day of every
quarter that has an outcome: the share that was abandoned, with Wilson's interval, each library counted once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from advisor.answers.backtest import ranking, run
from advisor.answers.backtest.figures import wilson
from advisor.outlook import compute, panel

ACTIVE_DAYS = 365
OLD_DAYS, FEW_COMMITS, MANY_DEPENDENTS, CLOSED_SHARE = 5 * 365.25, 52, 1000, 0.8


def main() -> None:
    """Read the panel and print a line for each group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    series = panel.read_panel(parser.parse_args().panel)
    days = run.default_days(series, ranking.MONTHS)
    members = pd.concat([panel.select_cohort(series, day, ACTIVE_DAYS) for day in days], ignore_index=True)
    values = compute.compute_features(series, members)
    abandoned = panel.label_abandonment(series, members, ranking.MONTHS)
    largest = series.groupby("repository", sort=False).dependents.cummax()
    whole = series[["repository", "day"]].assign(
        dependents=series.dependents.where(series.dependents * 2 >= largest)
    )
    dependents = members[["repository", "day"]].merge(whole, how="left", on=["repository", "day"]).dependents
    commits = ranking.DAYS_A_YEAR / ranking.DAYS_A_MONTH * values.commits_a_month_400.clip(lower=0)
    is_quiet = abandoned.notna() & (values.age_days >= OLD_DAYS) & (commits < FEW_COMMITS)
    has_users = (dependents >= MANY_DEPENDENTS) & (values.open_issue_share < 1 - CLOSED_SHARE)
    for title, rows in (
        ("old, few commits", is_quiet),
        (f"at least {MANY_DEPENDENTS} dependents, under a fifth of the issues open", is_quiet & has_users),
        ("the others", is_quiet & ~has_users),
    ):
        count, share = int(members.repository[rows].nunique()), float(abandoned[rows].mean())
        low, high = wilson(share * count, count)
        print(f"{title}: {share:.1%} [{low:.1%}-{high:.1%}] abandoned; {count} libraries, {rows.sum()} rows")


if __name__ == "__main__":
    main()
