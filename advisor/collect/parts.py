"""Read and write the rows of one source: each source has its own part of a fact table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


def read_part(store: Path, table: str, repository: str, part: str) -> list[dict[str, Any]]:
    """Return the rows of a part, or an empty list if the part does not exist yet."""
    try:
        return reading.read_rows(reading.open_store(store, may_lack_days=True), table, repository, part)
    except SnapshotMissing:
        return []


def add_rows(
    store: Path,
    table: str,
    repository: str,
    part: str,
    rows: Iterable[Mapping[str, Any]],
    key: Sequence[str],
) -> None:
    """Add rows to a part; a row replaces the existing row with the same values in the key columns."""
    rows_by_key = {tuple(str(r.get(k)) for k in key): r for r in read_part(store, table, repository, part)}
    rows_by_key |= {tuple(str(r.get(k)) for k in key): dict(r) for r in rows}
    writing.write_rows(store, table, repository, rows_by_key.values(), part=part)
