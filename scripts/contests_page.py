"""Write the results of the public contests into docs/explanation/contests.md: python scripts/contests_page.py."""

from __future__ import annotations

from pathlib import Path

from advisor.answers.backtest.contests import judge_contests
from advisor.domain.contests import contests_folder
from advisor.report.contests import render
from advisor.report.formats import Format

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "contests.md"
HEADING = "## Results\n\n"


def main() -> None:
    """Replace what follows the heading."""
    text = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    results = render(judge_contests(contests_folder()), Format.markdown)
    PAGE.write_text(text + HEADING + results, encoding="utf-8")


if __name__ == "__main__":
    main()
