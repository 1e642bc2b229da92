"""Write rows of fact tables to a store without losing data.

A store (see `store`) is a folder of files and ``manifest.json`` with a hash of each. Readers never see a
partial file: we write a file under a temporary name, sync and rename it, and then write the manifest. A
source that is collected separately writes its own part. It replaces only its own rows, and readers see the
rows of all parts. Metrics read facts only through the as-of views.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from advisor.addresses import check_repository
from advisor.errors import FactsError
from advisor.facts.database import copy_sql, json_sql, open_database, parquet_sql
from advisor.facts.manifest import lock_store, read_manifest, replace_in_partition, write_manifest
from advisor.facts.store import file_path, parse_file_path
from advisor.facts.tables import DAYS, columns
from advisor.files import write_atomically
from advisor.write_errors import report_write_errors


def _encode(table: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as Parquet."""
    names = columns(table)
    unknown = {key for row in rows for key in row} - set(names)
    if unknown:
        raise FactsError(f"unknown columns for table {table}: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "rows.json"
        with report_write_errors(lines):
            lines.write_text(json.dumps(rows, default=str), encoding="utf-8")
        source = json_sql([lines], names, ", format = 'array'")
        return encode_parquet(f"SELECT * FROM {source}", Path(folder))


def encode_parquet(sql: str, source: Path) -> bytes:
    """Return the rows of a query as Parquet; equal rows in any order give equal bytes.

    Args:
        sql: the query.
        source: the folder with the files that the query reads.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        open_database([source, Path(folder)], {"threads": 1}) as db,
    ):
        target = Path(folder) / "rows.parquet"
        db.execute(copy_sql(f"SELECT DISTINCT * FROM ({sql}) ORDER BY ALL", target))
        return target.read_bytes()


def write_rows(
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
        store: folder of the store; created if it does not exist.
        table: one of ``TABLES``.
        repository: ``owner/name``.
        rows: mappings from column to value; a missing column is NULL.
        part: name of the source, if several sources write to the table.
        about: more keys for the file's entry in the manifest (``head`` of a history).

    Raises:
        FactsError: a row has a column that the table does not have.
    """
    check_repository(repository)
    row_list = list(rows)
    data = _encode(table, row_list)
    days = [str(row[c])[:10] for row in row_list for c in DAYS[table] if row.get(c) is not None]
    about |= {"rows": len(row_list)}
    if days:
        about |= {"first_day": min(days), "last_day": max(days)}
    with lock_store(store):
        _replace_file(store, file_path(table, repository, part), data, about)


def renew_rows(store: Path, repository: str, day: date) -> bool:
    """Set the day of retrieval of all rows from a git history; change nothing else.

    Args:
        store: folder of the store.
        repository: ``owner/name``.
        day: the new day of retrieval.

    Returns:
        False if rows are in a partition, which is not rewritten for one repository.

    Raises:
        FactsError: the manifest is damaged.
    """
    new_day = f"CASE WHEN source LIKE 'git:%' THEN DATE '{day.isoformat()}' ELSE retrieved_at END"
    with lock_store(store):
        entries = read_manifest(store)["files"]
        files = [file for file in entries if parse_file_path(file) == (repository, "")]
        if any("in" in entries[file] for file in files):
            return False
        for file in files:
            sql = f"SELECT * REPLACE ({new_day} AS retrieved_at) FROM {parquet_sql([store / file])}"
            about = {k: v for k, v in entries[file].items() if k not in {"sha256", "next_sha256"}}
            if "read_on" in about:
                about["read_on"] = day.isoformat()
            _replace_file(store, file, encode_parquet(sql, store), about)
    return True


def _replace_file(store: Path, file: str, data: bytes, about: Mapping[str, Any]) -> None:
    """Write one file of a locked store, and its entry in the manifest."""
    manifest = read_manifest(store) if os.path.lexists(store / "manifest.json") else {"files": {}}
    entry = {**about, "sha256": hashlib.sha256(data).hexdigest()}
    old = manifest["files"].get(file, {})
    if "in" in old:
        replace_in_partition(manifest, file)
    elif old and old["sha256"] != entry["sha256"]:
        # A reader between the two steps, or after a crash between them, accepts both files.
        manifest["files"][file]["next_sha256"] = entry["sha256"]
        write_manifest(store, manifest)
    write_atomically(store / file, data)
    manifest["files"] = dict(sorted({**manifest["files"], file: entry}.items()))
    write_manifest(store, manifest)
