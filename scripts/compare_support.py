"""Set the days of support in a snapshot against another count of them.

Usage: python scripts/compare_support.py COUNT.csv [STORE]

COUNT.csv has the columns repo, family, release, code_date (a day or empty). Prints for each library how
many days agree and every difference of more than two days, with our evidence.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

from advisor.domain.files import data_folder
from advisor.facts import reading

# Where the other count calls a family by another name.
SAME = {"DeepSeek-R1": "R1-Distill", "Mixtral 8x7B": "Mixtral", "DeepSeek (any)": "DeepSeek LLM"}
NEAR = 2


def main() -> None:
    count, *store_given = sys.argv[1:]
    folder = Path(*store_given) if store_given else data_folder() / "snapshots" / "finetuning"
    store = reading.open_store(folder)
    ours = {
        (name.split("/")[1], r["family"]): r
        for name in store.repositories()
        for r in reading.read(store, "model_support", name)
        if r["route"] == "main"
    }
    agree: dict[str, int] = defaultdict(int)
    lines: dict[str, list[str]] = defaultdict(list)
    with Path(count).open(newline="") as file:
        for row in csv.DictReader(file):
            family = SAME.get(row["family"], row["family"])
            mine = ours.get((row["repo"], family))
            if mine is None:
                continue
            theirs = date.fromisoformat(row["code_date"]) if row["code_date"] else None
            day = mine["supported_on"]
            if day == theirs or (day and theirs and abs((day - theirs).days) <= NEAR):
                agree[row["repo"]] += 1
            else:
                lines[row["repo"]].append(
                    f"  {family}: {day} {mine['evidence_name'] or ''} {mine['evidence_path'] or ''}, theirs {theirs}"
                    f" {row.get('code_path', '')}"
                )
    for name in sorted(set(agree) | set(lines)):
        print(f"{name}: {agree[name]} of {agree[name] + len(lines[name])} agree within {NEAR} days")
        print("\n".join(lines[name]))


if __name__ == "__main__":
    main()
