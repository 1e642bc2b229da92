"""State of an unfinished collection: an SQLite file in the user's state folder, so that a run can resume.

One transaction stores the rows of a page and the cursor after it, so a crash loses both or neither.
Each thread has one row. The file holds logins, because a comment by a thread's author is not a response.
It stays on the user's machine (see `state_place`); the fact tables hold no logins.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.collect.github.state_place import state_file
from advisor.collect.http.messages import HttpResponse
from advisor.errors import FactsError
from advisor.facts.checks import check_folder
from advisor.write_errors import explain_write_error, report_write_errors

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS overview (
  repository TEXT PRIMARY KEY, github_id INTEGER, seen_at TEXT, totals TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
  repository TEXT, kind TEXT, key, row TEXT, author TEXT, changed TEXT, more TEXT, pass INTEGER,
  retrieved_at TEXT,
  PRIMARY KEY (repository, kind, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unsure ON rows (repository, kind) WHERE more IS NOT NULL;
CREATE TABLE IF NOT EXISTS progress (
  repository TEXT, kind TEXT, pass INTEGER, known_until TEXT, cursor TEXT, highest TEXT,
  off_by INTEGER, is_dirty INTEGER, PRIMARY KEY (repository, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (url TEXT PRIMARY KEY, etag TEXT, body BLOB, headers TEXT) WITHOUT ROWID;
"""
_CACHED_HEADERS = ("link",)


@dataclass(frozen=True)
class ReadingProgress:
    """Progress of reading one kind of thread (or releases) of one repository.

    Attributes:
        number: number of the current full reading, from 1; a full reading deletes rows that it does not find.
        known_until: time up to which all changes are stored; None: the first reading is not complete.
        cursor: where the current reading resumes.
        highest: latest change that the current reading has read.
        off_by: the source's total minus the rows that it listed, after a full reading.
        is_dirty: whether rows changed since the facts were written.
    """

    number: int = 1
    known_until: str | None = None
    cursor: str | None = None
    highest: str | None = None
    off_by: int = 0
    is_dirty: bool = False


@dataclass(frozen=True)
class StoredRow:
    """A row of the state file.

    Attributes:
        key: number of a thread, or tag of a release.
        row: its facts.
        author: login of the person who opened it.
        updated_at: time of its last change at the source.
        more: cursor of comments that may hold the first response ("": from the start); None: no search.
    """

    key: int | str
    row: Mapping[str, Any]
    author: str | None = None
    updated_at: str | None = None
    more: str | None = None


class CollectionState:
    """The state file of a store; several processes may use it at the same time."""

    def __init__(self, store: Path) -> None:
        """Open the file; create it if it does not exist.

        Raises:
            FactsError: the file is damaged or has another version.
            CannotWrite: the disk is full or read-only.
        """
        store.mkdir(parents=True, exist_ok=True)
        check_folder(store)
        with report_write_errors(store):
            self.path = state_file(store)
        try:
            self._db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in {0, _VERSION}:
                raise FactsError(
                    f"{self.path} was written by another version of advisor; delete it and collect again"
                )
            self._db.executescript(_TABLES + f"PRAGMA user_version = {_VERSION};")
        except sqlite3.Error as error:
            if (write_error := explain_write_error(error, self.path)) is not None:
                raise write_error from None
            raise FactsError(f"{self.path} is damaged ({error}); delete it and collect again") from None
        self.path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with report_write_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # on a full disk SQLite has rolled back already
                    self._db.execute("ROLLBACK")
                raise

    def save_overview(
        self, repository: str, github_id: int, totals: Mapping[str, int], now: datetime
    ) -> None:
        """Store the totals of an overview; delete rows of another repository that had this name before."""
        previous = self._db.execute(
            "SELECT github_id FROM overview WHERE repository = ?", [repository]
        ).fetchone()
        with self._transaction() as db:
            if previous is not None and previous[0] != github_id:
                for table in ("rows", "progress"):
                    db.execute(f"DELETE FROM {table} WHERE repository = ?", [repository])
            db.execute(
                "INSERT OR REPLACE INTO overview VALUES (?, ?, ?, ?)",
                [repository, github_id, now.astimezone(UTC).isoformat(), json.dumps(dict(totals))],
            )

    def read_progress(self, repository: str, kind: str) -> ReadingProgress:
        """Return the progress of a kind."""
        record = self._db.execute(
            "SELECT pass, known_until, cursor, highest, off_by, is_dirty FROM progress"
            " WHERE repository = ? AND kind = ?",
            [repository, kind],
        ).fetchone()
        if not record:
            return ReadingProgress()
        number, known_until, cursor, highest, off_by, is_dirty = record
        return ReadingProgress(number, known_until, cursor, highest, off_by, bool(is_dirty))

    def save_page(
        self, repository: str, kind: str, rows: Iterable[StoredRow], progress: ReadingProgress, day: str
    ) -> ReadingProgress:
        """Store the rows of a page together with the progress.

        Returns:
            the progress; it is dirty if a row changed.
        """
        is_dirty = progress.is_dirty
        with self._transaction() as db:
            for row in rows:
                old = db.execute(
                    "SELECT row, changed FROM rows WHERE repository = ? AND kind = ? AND key = ?",
                    [repository, kind, row.key],
                ).fetchone()
                text = json.dumps(row.row)
                # A reading starts at the last change, which is stored already, perhaps with its response.
                if old and (old[0] == text or (row.updated_at and old[1] == row.updated_at)):
                    db.execute(
                        "UPDATE rows SET pass = ? WHERE repository = ? AND kind = ? AND key = ?",
                        [progress.number, repository, kind, row.key],
                    )
                    continue
                is_dirty = True
                new = _keep_first_response(row, json.loads(old[0])) if old else row
                db.execute(
                    "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        repository, kind, row.key, json.dumps(new.row), row.author, row.updated_at, new.more,
                        progress.number, day,
                    ],
                )  # fmt: skip
            progress = replace(progress, is_dirty=is_dirty)
            self._write_progress(db, repository, kind, progress)
        return progress

    def finish_full_reading(self, repository: str, kind: str, progress: ReadingProgress) -> None:
        """End a full reading: delete the rows that it did not find, as the source no longer has them."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM rows WHERE repository = ? AND kind = ? AND pass < ?",
                [repository, kind, progress.number],
            )
            self._write_progress(db, repository, kind, progress)

    def save_progress(self, repository: str, kind: str, progress: ReadingProgress) -> None:
        """Store the progress of a kind."""
        with self._transaction() as db:
            self._write_progress(db, repository, kind, progress)

    @staticmethod
    def _write_progress(db: sqlite3.Connection, repository: str, kind: str, p: ReadingProgress) -> None:
        db.execute(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [repository, kind, p.number, p.known_until, p.cursor, p.highest, p.off_by, p.is_dirty],
        )

    def count_rows(self, repository: str, kind: str, since_pass: int = 0) -> int:
        """Count the rows of a kind, or those that full readings from this number on have found."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM rows WHERE repository = ? AND kind = ? AND pass >= ?",
            [repository, kind, since_pass],
        ).fetchone()
        return int(count)

    def read_rows(self, repository: str, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the facts of a kind, ordered by key."""
        for row, day in self._db.execute(
            "SELECT row, retrieved_at FROM rows WHERE repository = ? AND kind = ? ORDER BY key",
            [repository, kind],
        ):
            yield {**json.loads(row), "retrieved_at": day}

    def has_rows(self, repository: str, kind: str, keys: Iterable[int | str]) -> bool:
        """Return whether all these keys are stored."""
        return all(
            self._db.execute(
                "SELECT 1 FROM rows WHERE repository = ? AND kind = ? AND key = ?", [repository, kind, key]
            ).fetchone()
            for key in keys
        )

    def read_threads_to_search(self, repository: str, kind: str, limit: int) -> list[StoredRow]:
        """Return threads whose first response may be among unread comments."""
        records = self._db.execute(
            "SELECT key, row, author, changed, more FROM rows"
            " WHERE repository = ? AND kind = ? AND more IS NOT NULL ORDER BY key LIMIT ?",
            [repository, kind, limit],
        )
        return [
            StoredRow(key, json.loads(row), author, updated_at, more)
            for key, row, author, updated_at, more in records
        ]

    def update_rows(self, repository: str, kind: str, rows: Iterable[StoredRow]) -> None:
        """Store threads after a search for their first response."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE rows SET row = ?, more = ? WHERE repository = ? AND kind = ? AND key = ?",
                [(json.dumps(r.row), r.more, repository, kind, r.key) for r in rows],
            )
            db.execute(
                "UPDATE progress SET is_dirty = 1 WHERE repository = ? AND kind = ?", [repository, kind]
            )

    def mark_clean(self, repository: str, kind: str) -> None:
        """Record that the facts of a kind are written."""
        with self._transaction() as db:
            db.execute(
                "UPDATE progress SET is_dirty = 0 WHERE repository = ? AND kind = ?", [repository, kind]
            )

    @asynccontextmanager
    async def lock(self, repository: str, on_wait: Callable[[], None]) -> AsyncIterator[None]:
        """Lock a repository for this run; another run waits until it is done.

        Args:
            repository: ``owner/name``.
            on_wait: called once if another run has the lock.
        """
        folder = self.path.parent / ".collecting"
        folder.mkdir(exist_ok=True)
        with (folder / f"{repository.replace('/', '__')}.lock").open("w") as file:
            is_waiting = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not is_waiting:
                        on_wait()
                    is_waiting = True
                    await asyncio.sleep(0.2)
            yield

    # The cache of the transport.

    def find_response(self, url: str) -> tuple[str, bytes, dict[str, str]] | None:
        """Return ETag, body and headers of the last response from a URL."""
        record = self._db.execute("SELECT etag, body, headers FROM answers WHERE url = ?", [url]).fetchone()
        return (record[0], record[1], json.loads(record[2])) if record else None

    def save_response(self, url: str, etag: str, response: HttpResponse) -> None:
        """Store a response for conditional requests; they need an ETag."""
        if not etag:
            return
        headers = {k: response.headers[k] for k in _CACHED_HEADERS if k in response.headers}
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                [url, etag, response.body, json.dumps(headers)],
            )


def _keep_first_response(new: StoredRow, old: Mapping[str, Any]) -> StoredRow:
    """Keep the first response of the old row if the new row would have to search for it again."""
    if new.more is None or not old.get("first_response_at"):
        return new
    response = {k: old[k] for k in ("first_response_at", "responses_seen")}
    return replace(new, row={**new.row, **response}, more=None)
