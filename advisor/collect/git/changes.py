"""Read which source files each commit changed, and keep the answers: a commit never changes.

The answers are in an SQLite file in the cache, so that new commits cost only their own reading.
A damaged file is made again.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING

from advisor.collect.git.cache_file import open_cache
from advisor.collect.git.command import stream_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# A change of a file: A(dded), M(odified), D(eleted), T(ype changed) or R(enamed); the path; the old path
# of a renamed file.
Change = tuple[str, str, str]

SOURCE_SUFFIXES = (
    ".py", ".pyx", ".pyi", ".ipynb", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cu", ".cuh", ".m",
    ".mm", ".swift", ".java", ".kt", ".scala", ".go", ".rs", ".rb", ".php", ".js", ".jsx", ".mjs",
    ".ts", ".tsx", ".vue", ".cs", ".r", ".jl", ".lua", ".pl", ".sh", ".coffee", ".erb", ".sql",
)  # fmt: skip
_SUFFIX_BYTES = tuple(suffix.encode() for suffix in SOURCE_SUFFIXES)
_BATCH = 1000  # commits in one transaction
# The form of the file and the suffixes: with others, the file is made again.
_VERSION = zlib.crc32(repr((1, SOURCE_SUFFIXES)).encode()) >> 1
_TABLES = """
CREATE TABLE changes (sha TEXT PRIMARY KEY, fields BLOB) WITHOUT ROWID;
CREATE TABLE quarters (key TEXT PRIMARY KEY, figures TEXT) WITHOUT ROWID;
"""


def has_source_suffix(path: bytes) -> bool:
    """Return whether a path ends as the files of a programming language do."""
    return path.lower().endswith(_SUFFIX_BYTES)


def open_changes(file: Path) -> AbstractContextManager[sqlite3.Connection]:
    """Open the file of changes; make it if it does not exist, is damaged, or is of another version.

    Raises:
        CannotWrite: the disk is full or read-only.
    """
    return open_cache(file, _TABLES, _VERSION)


def read_changes(db: sqlite3.Connection, folder: Path, commits: Sequence[str]) -> Iterator[list[Change]]:
    """Yield the changes of source files in each commit, in the order of the commits.

    A rename counts as a rename only if the contents are unchanged: other renames need file contents,
    which a blobless clone does not have.

    Args:
        db: from `open_changes`.
        folder: the repository.
        commits: object names of commits that are not merges.

    Raises:
        GitFailed: git failed.
    """
    known = {sha for (sha,) in db.execute("SELECT sha FROM changes")}
    missing = [sha for sha in commits if sha not in known]
    if missing:
        _store_changes(db, _list_changes(folder, missing))
    for start in range(0, len(commits), _BATCH):
        batch = commits[start : start + _BATCH]
        marks = ", ".join("?" * len(batch))
        fields = dict(db.execute(f"SELECT sha, fields FROM changes WHERE sha IN ({marks})", batch))
        for sha in batch:
            data = fields.get(sha)
            yield _parse_fields(zlib.decompress(data).decode("utf-8", "replace")) if data else []


def _store_changes(db: sqlite3.Connection, changes: Iterator[tuple[str, list[bytes]]]) -> None:
    rows = ((sha, zlib.compress(b"\0".join(fields), 1) if fields else b"") for sha, fields in changes)
    while batch := list(islice(rows, _BATCH)):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR IGNORE INTO changes VALUES (?, ?)", batch)
        db.execute("COMMIT")


def _list_changes(folder: Path, commits: Sequence[str]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each commit and the fields of its changes of source files: status, path, old path."""
    output = stream_fields(
        folder, "diff-tree", "--stdin", "-r", "-z", "--root", "--always", "--name-status",
        "--find-renames=100%",
        stdin=(f"{sha}\n" for sha in commits),
    )  # fmt: skip
    sha, fields = "", list[bytes]()
    for field in output:
        if len(field) > 30:  # a status has at most four letters, and the name of a commit has 40 or 64
            if sha:
                yield sha, fields
            sha, fields = field.decode(), []
            continue
        old = next(output) if field.startswith(b"R") else b""
        path = next(output)
        if has_source_suffix(path):
            fields += (field[:1], path, old)
    if sha:
        yield sha, fields


def _parse_fields(text: str) -> list[Change]:
    fields: Iterable[str] = iter(text.split("\0"))
    return list(zip(fields, fields, fields, strict=True))
