"""Import the first day of support of each model family from a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.collect.imports.csv_rows import Cells, merge_rows, read_rows

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

COLUMNS = (
    "repository", "family", "vendor", "family_released_on", "supported_on", "known_until",
    "evidence_path", "evidence_commit", "source",
)  # fmt: skip
ROUTES = ("main", "shown", "package", "transformers", "architecture")


def import_support(path: Path, store: Path, *, retrieved_on: date) -> dict[str, int]:
    """Import first days of support; an empty ``supported_on`` means "not supported by ``known_until``".

    The columns ``route`` (default: main), ``removed_on`` and ``evidence_name`` are optional.

    Returns:
        repository → number of rows imported.

    Raises:
        InputError: the file is wrong; nothing is written.
    """
    rows = read_rows(path, COLUMNS, _read_row)
    return merge_rows(store, "model_support", rows, ("family", "route"), retrieved_on)


def _read_row(cells: Cells) -> dict[str, Any]:
    return {
        "repository": cells.read_repository(),
        "family": cells.read_text("family"),
        "vendor": cells.read_text("vendor"),
        "family_released_on": cells.read_day("family_released_on"),
        "route": cells.read_text("route", ROUTES) if cells.row.get("route") else "main",
        "supported_on": cells.read_optional_day("supported_on"),
        "removed_on": cells.read_optional_day("removed_on"),
        "evidence_name": cells.row.get("evidence_name") or None,
        "known_until": cells.read_day("known_until"),
        "evidence_path": cells.row.get("evidence_path") or None,
        "evidence_commit": cells.row.get("evidence_commit") or None,
        "source": cells.read_text("source"),
    }
