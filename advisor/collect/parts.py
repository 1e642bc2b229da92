"""Rows of one source beside those of others: each source has a part of a table's file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


def of(store: Path, table: str, repository: str, part: str) -> list[dict[str, Any]]:
    """The rows of a part that need not be there yet."""
    try:
        return reading.read(reading.open_store(store, may_lack_days=True), table, repository, part)
    except SnapshotMissing:
        return []


def add(
    store: Path,
    table: str,
    repository: str,
    part: str,
    rows: Iterable[Mapping[str, Any]],
    key: Sequence[str],
) -> None:
    """Write rows beside those of the same part; a row with the same key takes the old one's place."""
    joined = {tuple(str(r.get(k)) for k in key): r for r in of(store, table, repository, part)}
    joined |= {tuple(str(r.get(k)) for k in key): dict(r) for r in rows}
    writing.write(store, table, repository, joined.values(), part=part)
