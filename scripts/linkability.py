"""Measure how many authors of a store can be named by joining its rows with the public history.

    git clone https://github.com/Lightning-AI/litgpt
    .venv/bin/python scripts/linkability.py litgpt data/snapshots/finetuning Lightning-AI/litgpt

Numbers stand for authors in a store. Whoever has the same history can compute the numbers again; without
them, the days on which an author made commits are often the days of one person only. The table shows that
for days, and for weeks, months and years in place of days.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from advisor.collect.git.authors import Commit, number_people
from advisor.facts.reading import open_store, read_rows

SPANS = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
Activity = Mapping[int, Counter[date]]


def read_public_history(clone: Path) -> Activity:
    """Return author → day → commits without merges, as everybody can read them."""
    log = subprocess.run(
        ["git", "-C", str(clone), "log", "HEAD", "--use-mailmap", "--no-merges", "--reverse",
         "--format=%ct%x00%aN%x00%aE"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    rows = [line.split("\0") for line in log.splitlines()]
    commits = sorted((Commit("", name, mail, int(time)) for time, name, mail in rows), key=lambda c: c.time)
    people = number_people(commits)
    activity: dict[int, Counter[date]] = defaultdict(Counter)
    for c in commits:
        activity[people[c.name, c.mail]][datetime.fromtimestamp(c.time, UTC).date()] += 1
    return activity


def read_store(store: Path, repository: str) -> Activity:
    """Return author → day → commits of a store."""
    activity: dict[int, Counter[date]] = defaultdict(Counter)
    for row in read_rows(open_store(store), "contributions", repository):
        activity[row["author"]][row["day"]] += row["commits"]
    return activity


def count_named(facts: Activity, history: Activity, span: str) -> int:
    """Return how many authors of the facts share their spans and commits with exactly one person."""

    def pattern(days: Counter[date]) -> frozenset[tuple[date, int]]:
        counts: Counter[date] = Counter()
        for day, commits in days.items():
            counts[SPANS[span](day)] += commits
        return frozenset(counts.items())

    people = Counter(pattern(days) for days in history.values())
    return sum(people[pattern(days)] == 1 for days in facts.values())


def main() -> None:
    """Print a line for each way to name authors."""
    clone, store, repository = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    facts, history = read_store(store, repository), read_public_history(clone)
    same = sum(history.get(number) == days for number, days in facts.items())
    print(f"by computing the numbers again: {same} of {len(facts)} authors")
    for span in SPANS:
        print(f"by the commits of each {span}: {count_named(facts, history, span)} of {len(facts)} authors")


if __name__ == "__main__":
    main()
