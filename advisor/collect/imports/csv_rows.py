"""CSV files of dated figures: every row is checked before anything is written."""

from __future__ import annotations

import csv
import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from advisor import addresses
from advisor.errors import InputError, SnapshotMissing
from advisor.facts import reading, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def read_rows(
    path: Path, required: Sequence[str], check: Callable[[Cells], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Repository → checked rows.

    Raises:
        InputError: the file cannot be read, a column is missing, or a cell is wrong; the message
            names file, line and column.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [c for c in required if c not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path}: there is no column {', '.join(missing)}")
            for row in reader:
                checked = check(Cells(f"{path}:{reader.line_num}", row))
                found.setdefault(checked["repository"], []).append(checked)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: {error}") from None
    if not found:
        raise InputError(f"{path}: there is no row")
    return found


class Cells:
    """The cells of one row, read by kind; the errors say where."""

    def __init__(self, place: str, row: dict[str, str | None]) -> None:
        self.place, self.row = place, row

    def _wrong(self, column: str, wanted: str) -> InputError:
        return InputError(f"{self.place}: {column} is {self.row.get(column)!r}; it must be {wanted}")

    def text(self, column: str, known: Sequence[str] = ()) -> str:
        """A text that is not empty, one of ``known`` if that is given."""
        value = (self.row.get(column) or "").strip()
        if not value or (known and value not in known):
            raise self._wrong(column, f"one of {', '.join(known)}" if known else "given")
        return value

    def repository(self) -> str:
        """``owner/name``."""
        try:
            return addresses.check_repository(self.text("repository"))
        except InputError as error:
            raise InputError(f"{self.place}: {error}") from None

    def day(self, column: str) -> str | None:
        """``YYYY-MM-DD``, or None if the cell is empty."""
        value = (self.row.get(column) or "").strip()
        try:
            return date.fromisoformat(value).isoformat() if value else None
        except ValueError:
            raise self._wrong(column, "a day, YYYY-MM-DD") from None

    def known_day(self, column: str) -> str:
        """``YYYY-MM-DD``; the cell may not be empty."""
        found = self.day(column)
        if found is None:
            raise self._wrong(column, "a day, YYYY-MM-DD")
        return found

    def moment(self, column: str) -> datetime:
        """A day with a time of day, in UTC if no zone is given; the cell may not be empty."""
        try:
            found = datetime.fromisoformat((self.row.get(column) or "").strip())
        except ValueError:
            raise self._wrong(column, "a moment, YYYY-MM-DDTHH:MM:SS") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def number(self, column: str) -> float | None:
        """A number of 0 or more, or None if the cell is empty."""
        value = (self.row.get(column) or "").strip()
        try:
            number = float(value) if value else None
        except ValueError:
            raise self._wrong(column, "a number") from None
        if number is not None and not 0 <= number < math.inf:
            raise self._wrong(column, "0 or more")
        return number


def merge(
    store: Path,
    table: str,
    imported: dict[str, list[dict[str, Any]]],
    key: Sequence[str],
    day: date,
) -> dict[str, int]:
    """Write rows beside those that are there; a row with the same key takes the old one's place."""
    for repository, rows in imported.items():
        try:
            old = reading.read(reading.open_store(store), table, repository)
        except SnapshotMissing:
            old = []
        # DuckDB gives days back as dates, the file gives them as text.
        joined = {tuple(str(r.get(k)) for k in key): r for r in old}
        for row in rows:
            place = tuple(str(row.get(k)) for k in key)
            before = {
                k: str(v) for k, v in joined.get(place, {}).items() if k != "retrieved_at" and v is not None
            }
            now = {k: str(v) for k, v in row.items() if v is not None}
            if before != now:
                joined[place] = {**row, "retrieved_at": day.isoformat()}
        writing.write(store, table, repository, joined.values())
    return {repository: len(rows) for repository, rows in imported.items()}
