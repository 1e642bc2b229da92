"""Read CSV files of dated values; check every row before writing any."""

from __future__ import annotations

import csv
import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from advisor import addresses
from advisor.errors import InputError, SnapshotMissing
from advisor.facts import reading, writing
from advisor.facts.checks import YEARS, check_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def read_rows(
    path: Path, columns: Sequence[str], read_row: Callable[[Cells], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Read a CSV file: repository → its rows.

    Args:
        path: the file.
        columns: columns that it must have.
        read_row: converts the cells of one row; raises InputError if a cell is wrong.

    Raises:
        InputError: the file cannot be read, a column is missing, or a cell is wrong; the message names the
            file, line and column.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [c for c in columns if c not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path}: missing column {', '.join(missing)}")
            for cells in reader:
                row = read_row(Cells(f"{path}:{reader.line_num}", cells))
                rows.setdefault(row["repository"], []).append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: {error}") from None
    if not rows:
        raise InputError(f"{path}: the file has no rows")
    return rows


class Cells:
    """Typed access to the cells of one row; errors name the file, line and column."""

    def __init__(self, place: str, row: dict[str, str | None]) -> None:
        self.place, self.row = place, row

    def _build_error(self, column: str, expectation: str) -> InputError:
        return InputError(f"{self.place}: invalid {column} {self.row.get(column)!r}: expected {expectation}")

    def read_text(self, column: str, choices: Sequence[str] = ()) -> str:
        """Return a text that is not empty; if there are ``choices``, it must be one of them."""
        value = (self.row.get(column) or "").strip()
        if not value or (choices and value not in choices):
            raise self._build_error(column, f"one of {', '.join(choices)}" if choices else "a text")
        return value

    def read_repository(self) -> str:
        """Return the repository as ``owner/name``."""
        try:
            return addresses.check_repository(self.read_text("repository"))
        except InputError as error:
            raise InputError(f"{self.place}: {error}") from None

    def read_optional_day(self, column: str) -> str | None:
        """Return a day as ``YYYY-MM-DD``, or None if the cell is empty."""
        value = (self.row.get(column) or "").strip()
        try:
            return check_day(date.fromisoformat(value).isoformat()) if value else None
        except ValueError:
            raise self._build_error(column, f"a day, YYYY-MM-DD, {YEARS}") from None

    def read_day(self, column: str) -> str:
        """Return a day as ``YYYY-MM-DD``; an empty cell is an error."""
        day = self.read_optional_day(column)
        if day is None:
            raise self._build_error(column, "a day, YYYY-MM-DD")
        return day

    def read_time(self, column: str) -> datetime:
        """Return a date and time (UTC if it has no time zone); an empty cell is an error."""
        try:
            time = datetime.fromisoformat((self.row.get(column) or "").strip())
        except ValueError:
            raise self._build_error(column, "a time, YYYY-MM-DDTHH:MM:SS") from None
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def read_number(self, column: str) -> float | None:
        """Return a number of 0 or more, or None if the cell is empty."""
        value = (self.row.get(column) or "").strip()
        try:
            number = float(value) if value else None
        except ValueError:
            raise self._build_error(column, "a number ≥ 0") from None
        if number is not None and not 0 <= number < math.inf:
            raise self._build_error(column, "a number ≥ 0")
        return number


def merge_rows(
    store: Path,
    table: str,
    rows_by_repository: dict[str, list[dict[str, Any]]],
    key: Sequence[str],
    day: date,
) -> dict[str, int]:
    """Add rows to a table; a row replaces the stored row with the same values in the key columns.

    Returns:
        repository → number of rows imported.
    """
    for repository, rows in rows_by_repository.items():
        try:
            stored_rows = reading.read_rows(reading.open_store(store), table, repository)
        except SnapshotMissing:
            stored_rows = []
        # DuckDB returns days as dates, the file has them as text.
        rows_by_key = {tuple(str(r.get(k)) for k in key): r for r in stored_rows}
        for row in rows:
            row_key = tuple(str(row.get(k)) for k in key)
            before = {
                k: str(v)
                for k, v in rows_by_key.get(row_key, {}).items()
                if k != "retrieved_at" and v is not None
            }
            now = {k: str(v) for k, v in row.items() if v is not None}
            if before != now:
                rows_by_key[row_key] = {**row, "retrieved_at": day.isoformat()}
        writing.write_rows(store, table, repository, rows_by_key.values())
    return {repository: len(rows) for repository, rows in rows_by_repository.items()}
