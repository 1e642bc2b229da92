"""Write a table of the lines that no test reaches outside the deciding half, each file with its reason.

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
UNKNOWN = "no reason yet"


def render_table(totals: dict[str, dict[str, int]], reasons: dict[str, str]) -> str:
    """One row for each file with a gap, the largest gap first."""
    rows = ["| file | lines | not reached | branches not reached | why |", "|---|---|---|---|---|"]
    for file, total in sorted(totals.items(), key=lambda f: (-f[1]["missing_lines"], f[0])):
        if total["missing_lines"] or total["missing_branches"]:
            why = next((why for pattern, why in reasons.items() if fnmatch(file, pattern)), UNKNOWN)
            counts = [total[k] for k in ("num_statements", "missing_lines", "missing_branches")]
            rows.append("| " + " | ".join(map(str, (f"`{file}`", *counts, why))) + " |")
    return "\n".join(rows)


def read_totals() -> dict[str, dict[str, int]]:
    """File → its totals, without the deciding half, of which `make coverage` demands all lines."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = config["tool"]["coverage"]["report"]["omit"]
    coverage = Coverage(config_file=str(ROOT / "scripts" / "whole.coveragerc"))
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        coverage.json_report(outfile=f"{folder}/whole.json")
        files = json.loads(Path(folder, "whole.json").read_text("utf-8"))["files"]
    return {
        file: report["summary"]
        for file, report in files.items()
        if not file.startswith("advisor/") or any(fnmatch(file, pattern) for pattern in patterns)
    }


def main() -> None:
    """Command line."""
    page = Path(sys.argv[1])
    reasons = tomllib.loads((ROOT / "scripts" / "uncovered.toml").read_text("utf-8"))
    table = f"{BEGIN}\n{render_table(read_totals(), reasons)}\n{END}"
    text = page.read_text("utf-8")
    pattern = f"{re.escape(BEGIN)}.*{re.escape(END)}"
    page.write_text(re.sub(pattern, lambda _: table, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
