"""What is half collected: an SQLite file beside the facts, so that nothing is asked for twice.

A page's rows and the cursor after it are one transaction: after a crash both are there or neither.
A thread has one row however often it is seen. The file holds logins (to tell a response from the
author's own comment) and stays with the user; the fact tables hold none.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.collect.http.messages import Answer
from advisor.errors import FactsError

FILE = "collect.sqlite"
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
_KEPT_HEADERS = ("link",)


@dataclass(frozen=True)
class Progress:
    """How far one kind of a repository has come.

    Attributes:
        number: of the present reading of everything, from 1; rows that it did not see are gone.
        known_until: everything that changed up to then is known; None: the first reading is not done.
        cursor: after which the present reading goes on.
        highest: the latest change that the present reading has seen.
        off_by: by how many the source's total differed from what it listed, when all was read.
        is_dirty: whether rows changed since the facts were written.
    """

    number: int = 1
    known_until: str | None = None
    cursor: str | None = None
    highest: str | None = None
    off_by: int = 0
    is_dirty: bool = False


@dataclass(frozen=True)
class Kept:
    """A row as it is kept.

    Attributes:
        key: its number or tag.
        row: its facts.
        author: login of who opened it.
        changed: when it last changed at the source.
        more: cursor after which a first response is to be looked for; None: it need not be.
    """

    key: int | str
    row: Mapping[str, Any]
    author: str | None = None
    changed: str | None = None
    more: str | None = None


class State:
    """The file; a second process may use it at the same time."""

    def __init__(self, store: Path) -> None:
        """Open the file, or make it.

        Raises:
            FactsError: it is damaged or of another version.
        """
        store.mkdir(parents=True, exist_ok=True)
        self.path = store / FILE
        try:
            self._db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in {0, _VERSION}:
                raise FactsError(f"{self.path} is of another version of advisor; delete it to collect anew")
            self._db.executescript(_TABLES + f"PRAGMA user_version = {_VERSION};")
        except sqlite3.Error as error:
            raise FactsError(f"{self.path} is damaged ({error}); delete it to collect anew") from None
        self.path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def see(self, repository: str, github_id: int, totals: Mapping[str, int], now: datetime) -> None:
        """Keep the totals of an overview; another repository under an old name begins anew."""
        known = self._db.execute(
            "SELECT github_id FROM overview WHERE repository = ?", [repository]
        ).fetchone()
        with self._transaction() as db:
            if known is not None and known[0] != github_id:
                for table in ("rows", "progress"):
                    db.execute(f"DELETE FROM {table} WHERE repository = ?", [repository])
            db.execute(
                "INSERT OR REPLACE INTO overview VALUES (?, ?, ?, ?)",
                [repository, github_id, now.astimezone(UTC).isoformat(), json.dumps(dict(totals))],
            )

    def progress(self, repository: str, kind: str) -> Progress:
        """How far a kind has come."""
        found = self._db.execute(
            "SELECT pass, known_until, cursor, highest, off_by, is_dirty FROM progress"
            " WHERE repository = ? AND kind = ?",
            [repository, kind],
        ).fetchone()
        if not found:
            return Progress()
        number, known_until, cursor, highest, off_by, is_dirty = found
        return Progress(number, known_until, cursor, highest, off_by, bool(is_dirty))

    def keep(
        self, repository: str, kind: str, rows: Iterable[Kept], progress: Progress, day: str
    ) -> Progress:
        """Keep a page and how far that brings us, together.

        Returns:
            the progress, dirty if a row changed.
        """
        is_dirty = progress.is_dirty
        with self._transaction() as db:
            for row in rows:
                known = db.execute(
                    "SELECT row, changed FROM rows WHERE repository = ? AND kind = ? AND key = ?",
                    [repository, kind, row.key],
                ).fetchone()
                text = json.dumps(row.row)
                # The same change is met again wherever a reading begins; its response is known by now.
                if known and (known[0] == text or (row.changed and known[1] == row.changed)):
                    db.execute(
                        "UPDATE rows SET pass = ? WHERE repository = ? AND kind = ? AND key = ?",
                        [progress.number, repository, kind, row.key],
                    )
                    continue
                is_dirty = True
                new = _without_forgetting(row, json.loads(known[0])) if known else row
                db.execute(
                    "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        repository, kind, row.key, json.dumps(new.row), row.author, row.changed, new.more,
                        progress.number, day,
                    ],
                )  # fmt: skip
            progress = replace(progress, is_dirty=is_dirty)
            self._put(db, repository, kind, progress)
        return progress

    def drop_unseen(self, repository: str, kind: str, progress: Progress) -> None:
        """End a reading of everything: what it did not see is gone from the source."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM rows WHERE repository = ? AND kind = ? AND pass < ?",
                [repository, kind, progress.number],
            )
            self._put(db, repository, kind, progress)

    def put(self, repository: str, kind: str, progress: Progress) -> None:
        """Keep how far a kind has come."""
        with self._transaction() as db:
            self._put(db, repository, kind, progress)

    @staticmethod
    def _put(db: sqlite3.Connection, repository: str, kind: str, p: Progress) -> None:
        db.execute(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [repository, kind, p.number, p.known_until, p.cursor, p.highest, p.off_by, p.is_dirty],
        )

    def count(self, repository: str, kind: str, since_pass: int = 0) -> int:
        """Rows of a kind, or of those that the present reading has seen."""
        (found,) = self._db.execute(
            "SELECT count(*) FROM rows WHERE repository = ? AND kind = ? AND pass >= ?",
            [repository, kind, since_pass],
        ).fetchone()
        return int(found)

    def rows(self, repository: str, kind: str) -> Iterator[dict[str, Any]]:
        """The facts of a kind, by key."""
        for row, day in self._db.execute(
            "SELECT row, retrieved_at FROM rows WHERE repository = ? AND kind = ? ORDER BY key",
            [repository, kind],
        ):
            yield {**json.loads(row), "retrieved_at": day}

    def has(self, repository: str, kind: str, keys: Iterable[int | str]) -> bool:
        """Whether all of these are known."""
        return all(
            self._db.execute(
                "SELECT 1 FROM rows WHERE repository = ? AND kind = ? AND key = ?", [repository, kind, key]
            ).fetchone()
            for key in keys
        )

    def unsure(self, repository: str, kind: str, at_most: int) -> list[Kept]:
        """Threads whose first response is still to be looked for."""
        found = self._db.execute(
            "SELECT key, row, author, changed, more FROM rows"
            " WHERE repository = ? AND kind = ? AND more IS NOT NULL ORDER BY key LIMIT ?",
            [repository, kind, at_most],
        )
        return [
            Kept(key, json.loads(row), author, changed, more) for key, row, author, changed, more in found
        ]

    def update(self, repository: str, kind: str, rows: Iterable[Kept]) -> None:
        """Put what was found of unsure threads in their place."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE rows SET row = ?, more = ? WHERE repository = ? AND kind = ? AND key = ?",
                [(json.dumps(r.row), r.more, repository, kind, r.key) for r in rows],
            )
            db.execute(
                "UPDATE progress SET is_dirty = 1 WHERE repository = ? AND kind = ?", [repository, kind]
            )

    def clean(self, repository: str, kind: str) -> None:
        """The facts of a kind are written."""
        with self._transaction() as db:
            db.execute(
                "UPDATE progress SET is_dirty = 0 WHERE repository = ? AND kind = ?", [repository, kind]
            )

    @asynccontextmanager
    async def hold(self, repository: str, waiting: Callable[[], None]) -> AsyncIterator[None]:
        """Hold a repository for one run; another run waits until this one is through with it."""
        folder = self.path.parent / ".collecting"
        folder.mkdir(exist_ok=True)
        with (folder / f"{repository.replace('/', '__')}.lock").open("w") as file:
            told = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not told:
                        waiting()
                    told = True
                    await asyncio.sleep(0.2)
            yield

    # the transport's cache

    def find(self, url: str) -> tuple[str, bytes, dict[str, str]] | None:
        """ETag, body and headers of the last answer from a URL."""
        found = self._db.execute("SELECT etag, body, headers FROM answers WHERE url = ?", [url]).fetchone()
        return (found[0], found[1], json.loads(found[2])) if found else None

    def keep_answer(self, url: str, etag: str, answer: Answer) -> None:
        """Keep an answer for conditional requests; without an ETag there is no condition."""
        if not etag:
            return
        headers = {k: answer.headers[k] for k in _KEPT_HEADERS if k in answer.headers}
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                [url, etag, answer.body, json.dumps(headers)],
            )


def _without_forgetting(new: Kept, old: Mapping[str, Any]) -> Kept:
    """A first response that was once found stays the first, where the new row would have to look for it."""
    if new.more is None or not old.get("first_response_at"):
        return new
    kept = {k: old[k] for k in ("first_response_at", "responses_seen")}
    return replace(new, row={**new.row, **kept}, more=None)
