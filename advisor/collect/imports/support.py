"""First days of support of model families from a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.collect.imports.csv_rows import Cells, merge, read_rows

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

COLUMNS = (
    "repository", "family", "vendor", "family_released_on", "supported_on", "known_until",
    "evidence_path", "evidence_commit", "source",
)  # fmt: skip
ROUTES = ("main", "package", "transformers")


def import_support(path: Path, store: Path, *, retrieved_on: date) -> dict[str, int]:
    """Import first days of support; an empty ``supported_on`` means: not by ``known_until``.

    The columns ``route`` (without it: main), ``removed_on`` and ``evidence_name`` may be left out.

    Returns:
        repository → number of rows imported.

    Raises:
        InputError: something in the file is wrong; then nothing is written.
    """
    rows = read_rows(path, COLUMNS, _check)
    return merge(store, "model_support", rows, ("family", "route"), retrieved_on)


def _check(cells: Cells) -> dict[str, Any]:
    return {
        "repository": cells.repository(),
        "family": cells.text("family"),
        "vendor": cells.text("vendor"),
        "family_released_on": cells.known_day("family_released_on"),
        "route": cells.text("route", ROUTES) if cells.row.get("route") else "main",
        "supported_on": cells.day("supported_on"),
        "removed_on": cells.day("removed_on"),
        "evidence_name": cells.row.get("evidence_name") or None,
        "known_until": cells.known_day("known_until"),
        "evidence_path": cells.row.get("evidence_path") or None,
        "evidence_commit": cells.row.get("evidence_commit") or None,
        "source": cells.text("source"),
    }
