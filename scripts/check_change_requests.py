"""Compare the change requests that git shows with dated counts of GitHub's API.

Usage: python scripts/check_change_requests.py FIGURES.csv [STORE]

FIGURES.csv has the columns `repo`, `metric`, `date` and `value`. Rows with the metric `prs_total` are values
of GraphQL's `pullRequests.totalCount` on that day. The script prints a Markdown table with the relative error
of the store's number of change requests on that day (default store: the bundled snapshot).
"""

from __future__ import annotations

import csv
import statistics
import sys
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

from advisor.domain.files import data_folder
from advisor.facts import reading

MIN_COUNT = 50  # below it, one change request is more than 2 %


def main() -> None:
    """Run the command line."""
    figures, *rest = sys.argv[1:]
    store = reading.open_store(Path(rest[0]) if rest else data_folder() / "snapshots" / "finetuning")
    counts_by_repository: dict[str, list[tuple[str, float]]] = defaultdict(list)
    with Path(figures).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["metric"] == "prs_total" and float(row["value"] or 0) >= MIN_COUNT:
                counts_by_repository[row["repo"]].append((row["date"][:10], float(row["value"])))
    print(
        "| repository | dated counts | from | to | median error | largest error |\n|---|---|---|---|---|---|"
    )
    for repository, counts in sorted(counts_by_repository.items()):
        threads = reading.read_rows(store, "threads", repository)
        opening_days = sorted(str(t["opened_at"])[:10] for t in threads if t["kind"] == "change_request")
        errors = [abs(bisect_right(opening_days, day) - count) / count for day, count in counts]
        days = [day for day, _ in counts]
        print(
            f"| {repository} | {len(counts)} | {min(days)} | {max(days)} "
            f"| {statistics.median(errors):.2%} | {max(errors):.2%} |"
        )


if __name__ == "__main__":
    main()
