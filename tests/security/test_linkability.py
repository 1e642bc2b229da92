"""Whoever has a public history can name the authors of its facts: the script says how many."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

from advisor.collect.git import collect_history

SCRIPT = Path(__file__).parents[2] / "scripts" / "linkability.py"
# Ada and Bo share every day of January; Cy and Di share a week, but no day.
COMMITS = [
    ("Ada", "2024-01-02"), ("Bo", "2024-01-02"), ("Cy", "2024-03-04"), ("Di", "2024-03-05"), ("Ed", "2024-05-01"),
    ("Ed", "2024-05-02"),
]  # fmt: skip


def test_the_script_counts_the_authors_that_days_weeks_and_months_name(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", clone], check=True)
    for name, day in COMMITS:
        who = ["-c", f"user.name={name} Surname", "-c", f"user.email={name}@example.org"]
        dates = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
        subprocess.run(
            ["git", "-C", clone, *who, "commit", "--quiet", "--allow-empty", "--message", "x"],
            check=True, env={"PATH": "/usr/bin:/bin", **dates},
        )  # fmt: skip
    store = tmp_path / "store"
    collect_history(
        str(clone), store, tmp_path / "cache", retrieved_on=date(2024, 6, 1), repository="own/lib"
    )
    command = [sys.executable, SCRIPT, clone, store, "own/lib"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines == [
        "by computing the numbers again: 5 of 5 authors",
        "by the commits of each day: 3 of 5 authors",
        "by the commits of each week: 1 of 5 authors",
        "by the commits of each month: 1 of 5 authors",
        "by the commits of each year: 1 of 5 authors",
    ]
