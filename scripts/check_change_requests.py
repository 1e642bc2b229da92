"""The ledger of change requests from git beside the API's dated counts.

Usage: python scripts/check_change_requests.py FIGURES.csv [STORE]

FIGURES.csv has the columns repo, metric, date and value; rows of the metric prs_total are totals of
GraphQL's `pullRequests.totalCount` on that day. Prints a Markdown table of how far the number of
change requests that the store (default: the bundled snapshot) knows by that day is off.
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

FEWEST = 50  # below it, one request more or less is over 2 %


def main() -> None:
    """Command line."""
    figures, *rest = sys.argv[1:]
    store = reading.open_store(Path(rest[0]) if rest else data_folder() / "snapshots" / "finetuning")
    counted: dict[str, list[tuple[str, float]]] = defaultdict(list)
    with Path(figures).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["metric"] == "prs_total" and float(row["value"] or 0) >= FEWEST:
                counted[row["repo"]].append((row["date"][:10], float(row["value"])))
    print("| repository | dated counts | from | to | median off | most off |\n|---|---|---|---|---|---|")
    for repository, counts in sorted(counted.items()):
        threads = reading.read(store, "threads", repository)
        opened = sorted(str(t["opened_at"])[:10] for t in threads if t["kind"] == "change_request")
        off = [abs(bisect_right(opened, day) - count) / count for day, count in counts]
        days = [day for day, _ in counts]
        print(
            f"| {repository} | {len(counts)} | {min(days)} | {max(days)} "
            f"| {statistics.median(off):.2%} | {max(off):.2%} |"
        )


if __name__ == "__main__":
    main()
