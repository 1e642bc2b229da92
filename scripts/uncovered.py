"""Writes the table of what the tests do not reach outside the deciding half into a page, with the reason of each.

Usage: python scripts/uncovered.py PAGE, after a run of the whole suite (`make uncovered` does both).
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- made by `make uncovered` -->", "<!-- end -->"
UNKNOWN = "nobody has looked yet"


def table(found: dict[str, dict[str, int]], reasons: dict[str, str]) -> str:
    """One row a file that is not wholly covered, the largest gap first."""
    rows = ["| file | lines | not reached | branches not reached | why |", "|---|---|---|---|---|"]
    for file, told in sorted(found.items(), key=lambda f: (-f[1]["missing_lines"], f[0])):
        if told["missing_lines"] or told["missing_branches"]:
            why = next((why for pattern, why in reasons.items() if fnmatch(file, pattern)), UNKNOWN)
            cells = (
                f"`{file}`",
                told["num_statements"],
                told["missing_lines"],
                told["missing_branches"],
                why,
            )
            rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def measured() -> dict[str, dict[str, int]]:
    """File → its totals, without the deciding half's (`make coverage` demands all of them)."""
    outside = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["coverage"]["report"][
        "omit"
    ]
    whole = Coverage(config_file=str(ROOT / "scripts" / "whole.coveragerc"))
    whole.load()
    with tempfile.TemporaryDirectory() as folder:
        whole.json_report(outfile=f"{folder}/whole.json")
        files = json.loads(Path(folder, "whole.json").read_text("utf-8"))["files"]
    rest = {f: told["summary"] for f, told in files.items() if not f.startswith("advisor/")}
    return rest | {f: told["summary"] for f, told in files.items() if any(fnmatch(f, p) for p in outside)}


def main() -> None:
    """Command line."""
    page = Path(sys.argv[1])
    reasons = tomllib.loads((ROOT / "scripts" / "uncovered.toml").read_text("utf-8"))
    made = f"{BEGIN}\n{table(measured(), reasons)}\n{END}"
    text = page.read_text("utf-8")
    page.write_text(
        re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: made, text, flags=re.DOTALL), "utf-8"
    )


if __name__ == "__main__":
    main()
