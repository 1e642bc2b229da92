"""Compress the facts of bundled snapshots as far as zstd can: their size counts, the seconds to write them do not.

Usage: python scripts/shrink_snapshot.py [SNAPSHOT…], then scripts/keep_answers.py; default: all of data/snapshots.
The rows stay as they are, but names of a public API get an order that compresses better. The manifest gets the hashes
of the new files.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from advisor.domain.files import data_folder
from advisor.facts.database import copy_sql, open_database, parquet_sql
from advisor.facts.manifest import lock_store, read_manifest, write_manifest

LEVEL = 22  # the highest of zstd
ORDERS = {"api_names": " ORDER BY removed_on, added_on, name, kind, is_alias"}
"""Table → order of its rows."""


def main() -> None:
    folders = [Path(name) for name in sys.argv[1:]] or sorted((data_folder() / "snapshots").iterdir())
    for folder in folders:
        print(f"{folder.name}: {shrink(folder):,} bytes less")


def shrink(store: Path) -> int:
    """Write each file of a store again if that makes it smaller; return the number of bytes saved."""
    saved = 0
    with lock_store(store), tempfile.TemporaryDirectory() as work:
        manifest = read_manifest(store)
        for name, entry in manifest["files"].items():
            path, target = store / name, Path(work) / "rows.parquet"
            rows = f"SELECT * FROM {parquet_sql([path])}{ORDERS.get(name.partition('/')[0], '')}"
            content = min((write(store, rows, target, version) for version in ("V1", "V2")), key=len)
            if len(content) < path.stat().st_size:
                saved += path.stat().st_size - len(content)
                entry["sha256"] = hashlib.sha256(content).hexdigest()
                path.write_bytes(content)
        write_manifest(store, manifest)
    (store / ".lock").unlink(missing_ok=True)
    return saved


def write(store: Path, rows: str, target: Path, version: str) -> bytes:
    """Return rows of a store as a file of this version of Parquet."""
    options = f"COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL}, PARQUET_VERSION {version}"
    with open_database([store, target.parent], {"threads": 1}) as db:
        db.execute(copy_sql(rows, target).replace("COMPRESSION zstd", options))
    return target.read_bytes()


if __name__ == "__main__":
    main()
