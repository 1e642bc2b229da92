"""Compare the days of model support in a snapshot with another list of them.

Usage: python scripts/compare_support.py LIST.csv [STORE]

LIST.csv has the columns `repo`, `family`, `release` and `code_date` (a day or empty). The script prints, for
each library, how many days agree and each difference of more than two days with the snapshot's evidence.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

from advisor.domain.files import data_folder
from advisor.facts import reading

# Names of the other list → names of the snapshot.
FAMILY_NAMES = {"DeepSeek-R1": "R1-Distill", "Mixtral 8x7B": "Mixtral", "DeepSeek (any)": "DeepSeek LLM"}
TOLERANCE_DAYS = 2


def main() -> None:
    path, *store_arguments = sys.argv[1:]
    folder = Path(*store_arguments) if store_arguments else data_folder() / "snapshots" / "finetuning"
    store = reading.open_store(folder)
    snapshot_rows = {
        (name.split("/")[1], r["family"]): r
        for name in store.repositories()
        for r in reading.read_rows(store, "model_support", name)
        if r["route"] == "main"
    }
    matches: dict[str, int] = defaultdict(int)
    lines: dict[str, list[str]] = defaultdict(list)
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            family = FAMILY_NAMES.get(row["family"], row["family"])
            row_of_snapshot = snapshot_rows.get((row["repo"], family))
            if row_of_snapshot is None:
                continue
            other_day = date.fromisoformat(row["code_date"]) if row["code_date"] else None
            day = row_of_snapshot["supported_on"]
            if day == other_day or (day and other_day and abs((day - other_day).days) <= TOLERANCE_DAYS):
                matches[row["repo"]] += 1
            else:
                evidence = (row_of_snapshot["evidence_name"] or "", row_of_snapshot["evidence_path"] or "")
                lines[row["repo"]].append(
                    f"  {family}: snapshot {day} {' '.join(evidence)}, "
                    f"other list {other_day} {row.get('code_path', '')}"
                )
    for name in sorted(set(matches) | set(lines)):
        print(
            f"{name}: {matches[name]} of {matches[name] + len(lines[name])} agree within {TOLERANCE_DAYS} days"
        )
        print("\n".join(lines[name]))


if __name__ == "__main__":
    main()
