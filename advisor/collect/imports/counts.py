"""Dated totals from a CSV file: open and closed issues, stars, forks, downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.collect.imports.csv_rows import Cells, merge, read_rows
from advisor.errors import InputError

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

COLUMNS = ("date", "repository", "metric", "value", "source", "definition")
METRICS = ("open_issues", "closed_issues", "issues_total", "stars", "forks", "downloads_30d")


def import_counts(path: Path, store: Path, *, retrieved_on: date) -> dict[str, int]:
    """Import totals; importing the same file twice changes nothing.

    Columns: those of ``COLUMNS``, and optionally ``low`` and ``high`` for a derived total.

    Returns:
        repository → number of rows imported.

    Raises:
        InputError: something in the file is wrong; then nothing is written.
    """
    rows = read_rows(path, COLUMNS, _check)
    return merge(store, "counts", rows, ("day", "metric", "source"), retrieved_on)


def _check(cells: Cells) -> dict[str, Any]:
    value, low, high = (cells.number(c) for c in ("value", "low", "high"))
    if value is None:
        raise InputError(f"{cells.place}: value is empty; leave out what is not known")
    if not (value if low is None else low) <= value <= (value if high is None else high):
        raise InputError(f"{cells.place}: value {value} does not lie between low and high")
    return {
        "repository": cells.repository(),
        "day": cells.known_day("date"),
        "metric": cells.text("metric", METRICS),
        "value": value,
        "low": low,
        "high": high,
        "definition": cells.text("definition"),
        "source": cells.text("source"),
    }
