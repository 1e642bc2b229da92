"""Keep what was read from the files of a history, so that another run reads only new files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.collect.git.cache_file import open_cache

if TYPE_CHECKING:
    import sqlite3

_BATCH = 100  # readings in one transaction, for which another run waits, and which a killed one loses
_TABLES = "CREATE TABLE readings (path TEXT, blob TEXT, reading TEXT, PRIMARY KEY (path, blob)) WITHOUT ROWID"


class Readings:
    """Readings by path and content; see `open_readings`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Use an open file."""
        self._db = db
        self._count = 0

    def list_new(self, files: Iterable[tuple[str, str]]) -> set[str]:
        """Return the contents of the files (path, blob) that were not read."""
        return {blob for path, blob in files if self._find(path, blob) is None}

    def read(self, path: str, blob: str, read: Callable[[], Any]) -> Any:
        """Return the reading of a file, as JSON has it; one that is not there is made and kept."""
        text = self._find(path, blob)
        if text is None:
            text = json.dumps(read(), separators=(",", ":"))
            if self._count % _BATCH == 0:
                self.commit()
                self._db.execute("BEGIN")
            self._count += 1
            self._db.execute("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", (path, blob, text))
        return json.loads(text)

    def commit(self) -> None:
        """Write the readings that are only in the open transaction."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def _find(self, path: str, blob: str) -> str | None:
        query = "SELECT reading FROM readings WHERE path = ? AND blob = ?"
        row = self._db.execute(query, (path, blob)).fetchone()
        return row[0] if row else None


@contextmanager
def open_readings(
    cache: Path, repository: str, kind: str, code: Iterable[Path], settings: str = ""
) -> Iterator[Readings]:
    """Open the readings of a repository; those by other code or settings are forgotten.

    Args:
        cache: folder of clones.
        repository: ``owner/name``.
        kind: what is read, for example ``recipes``.
        code: the files on which a reading depends.
        settings: the settings on which it depends.

    Raises:
        CannotWrite: the disk is full or read-only.
    """
    digest = hashlib.sha256(settings.encode())
    for source in sorted(code):
        digest.update(source.read_bytes())
    version = int.from_bytes(digest.digest()[:4]) >> 1 or 1
    file = cache / f"{repository.replace('/', '__')}.{kind}.sqlite"
    with open_cache(file, _TABLES, version) as db:
        readings = Readings(db)
        try:
            yield readings
        finally:
            readings.commit()
