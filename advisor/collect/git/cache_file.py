"""Open an SQLite file of the cache; one that is damaged or of another version is made again."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from advisor.write_errors import report_write_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def open_cache(file: Path, tables: str, version: int) -> Iterator[sqlite3.Connection]:
    """Open the file; make it if it does not exist, is damaged, or is of another version.

    Args:
        file: its path.
        tables: SQL that makes the tables.
        version: a positive number that changes with the form of the file or the meaning of its rows.

    Raises:
        CannotWrite: the disk is full or read-only.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with report_write_errors(file):
        db = _connect(file, tables, version)
        try:
            yield db
        finally:
            db.close()


def _connect(file: Path, tables: str, current: int) -> sqlite3.Connection:
    for is_last in (False, True):
        db = sqlite3.connect(file, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")  # another process may be making it
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in tables.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {current}")
                version = current
            db.execute("COMMIT")
            if version == current:
                break
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) or is_last:
                raise
        db.close()
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            file.with_name(name).unlink(missing_ok=True)
    return db
