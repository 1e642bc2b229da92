"""Import dated totals from a CSV file: open and closed issues, stars, forks, downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.collect.imports.csv_rows import Cells, merge_rows, read_rows
from advisor.errors import InputError

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

COLUMNS = ("date", "repository", "metric", "value", "source", "definition")
METRICS = ("open_issues", "closed_issues", "issues_total", "stars", "forks", "downloads_30d")


def import_counts(path: Path, store: Path, *, retrieved_on: date) -> dict[str, int]:
    """Import totals; a second import of the same file changes nothing.

    Columns: ``COLUMNS``, and optionally ``low`` and ``high`` for a derived total.

    Returns:
        repository → number of rows imported.

    Raises:
        InputError: the file is wrong; nothing is written.
    """
    rows = read_rows(path, COLUMNS, _read_row)
    return merge_rows(store, "counts", rows, ("day", "metric", "source"), retrieved_on)


def _read_row(cells: Cells) -> dict[str, Any]:
    value, low, high = (cells.read_number(c) for c in ("value", "low", "high"))
    if value is None:
        raise InputError(f"{cells.place}: value is empty; remove the row if the value is unknown")
    if not (value if low is None else low) <= value <= (value if high is None else high):
        raise InputError(f"{cells.place}: value {value} is not between low and high")
    return {
        "repository": cells.read_repository(),
        "day": cells.read_day("date"),
        "metric": cells.read_text("metric", METRICS),
        "value": value,
        "low": low,
        "high": high,
        "definition": cells.read_text("definition"),
        "source": cells.read_text("source"),
    }
