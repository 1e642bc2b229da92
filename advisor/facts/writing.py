"""The fact tables: what a row is, how it is written so that nothing is lost, and how it is seen as of a day.

A store (see `store`) is a folder of files and ``manifest.json`` with a hash of each. Readers never see half
a file: a file is written under a temporary name, synced and renamed, and the manifest after it. A source
that is collected by itself writes a part of its own, so that it replaces its own rows and nobody else's;
readers see all parts together. The as-of views are the only door through which metrics see facts.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor.addresses import check_repository
from advisor.errors import FactsError
from advisor.facts.manifest import locked, read_manifest, replace_in_partition, write_manifest
from advisor.facts.store import file_of
from advisor.facts.tables import DAYS, columns
from advisor.files import write_atomically


def _encode(table: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as Parquet."""
    names = columns(table)
    unknown = {key for row in rows for key in row} - set(names)
    if unknown:
        raise FactsError(f"table {table} has no column {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "rows.json"
        lines.write_text(json.dumps(rows, default=str))
        types = ", ".join(f"{name}: '{kind}'" for name, kind in names.items())
        return encode(f"SELECT * FROM read_json('{lines}', columns={{{types}}}, format='array')")


def encode(sql: str) -> bytes:
    """Rows of a query as Parquet; equal rows in any order give equal bytes."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as db:
        target = Path(folder) / "rows.parquet"
        db.execute(
            f"COPY (SELECT DISTINCT * FROM ({sql}) ORDER BY ALL) TO '{target}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        return target.read_bytes()


def write(
    store: Path,
    table: str,
    repository: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    part: str = "",
    **about: Any,
) -> None:
    """Replace one table of one repository, or one part of it, atomically.

    Args:
        store: folder of the store; made if it is not there.
        table: one of ``TABLES``.
        repository: ``owner/name``.
        rows: mappings from column to value; a missing column is NULL.
        part: name of the source whose rows these are, where it writes beside others.
        about: what the manifest shall say of the file besides its hash (``head`` of a history).

    Raises:
        FactsError: a row has a column that the table lacks.
    """
    check_repository(repository)
    known = list(rows)
    data = _encode(table, known)
    with locked(store):
        file = file_of(table, repository, part)
        manifest = read_manifest(store) if (store / "manifest.json").exists() else {"files": {}}
        entry = {"rows": len(known), "sha256": hashlib.sha256(data).hexdigest(), **about}
        old = manifest["files"].get(file, {})
        if "in" in old:
            replace_in_partition(manifest, file)
        elif old and old["sha256"] != entry["sha256"]:
            # Whoever reads between the two steps, or after a crash there, knows both files.
            manifest["files"][file]["next_sha256"] = entry["sha256"]
            write_manifest(store, manifest)
        write_atomically(store / file, data)
        days = [str(row[c])[:10] for row in known for c in DAYS[table] if row.get(c) is not None]
        if days:
            entry |= {"first_day": min(days), "last_day": max(days)}
        manifest["files"] = dict(sorted({**manifest["files"], file: entry}.items()))
        write_manifest(store, manifest)
