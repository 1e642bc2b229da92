"""The fact tables: what a row is, how it is written so that nothing is lost, and how it is seen as of a day.

A store (see `store`) is a folder of files and ``manifest.json`` with a hash of each. Readers never see half
a file: a file is written under a temporary name, synced and renamed, and the manifest after it. A source
that is collected by itself writes a part of its own, so that it replaces its own rows and nobody else's;
readers see all parts together. The as-of views are the only door through which metrics see facts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import FactsError, InputError, SnapshotMissing
from advisor.store import Store, file_of, is_aside, rows_of, rows_of_file
from advisor.tables import DAYS, TABLES, as_of_view, columns

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION = 1
FILES_TO_READ = 5000

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def check_repository(name: str) -> str:
    """Return ``owner/name`` unchanged.

    Raises:
        InputError: it is not the name of a repository (letters, digits, ``-``, ``_``, ``.``).
    """
    if not _REPOSITORY.fullmatch(name) or name.split("/")[1] in {".", ".."}:
        raise InputError(f"{name!r} is not a repository name; write it as owner/name")
    return name


@dataclass(frozen=True)
class Damage:
    """A file of a store that cannot be used, and why."""

    repository: str
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file: temporary name, fsync, rename; after a crash the old or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store for one writer; a second one waits."""
    import fcntl

    path.mkdir(parents=True, exist_ok=True)
    with (path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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


def replace_in_partition(manifest: dict[str, Any], file: str) -> None:
    """Let the rows that a file has in a partition count no more, from when the manifest is written."""
    partition = manifest["partitions"][manifest["files"][file]["in"]]
    partition["replaced"] = sorted({*partition.get("replaced", ()), file})


def write_manifest(store: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest; its first and last day are those of its files of facts about projects."""
    files = [entry for file, entry in manifest["files"].items() if not is_aside(file)]
    manifest["schema"] = SCHEMA_VERSION
    manifest["first_day"] = min((f["first_day"] for f in files if "first_day" in f), default=None)
    if "pinned_as_of" in manifest:
        manifest["as_of"] = manifest["pinned_as_of"]
    else:
        manifest["as_of"] = max((f["last_day"] for f in files if "last_day" in f), default=None)
    # Beyond some hundred repositories nobody reads it line by line, and indenting costs ten times the time.
    indent = 1 if len(files) <= FILES_TO_READ else None
    write_atomically(store / "manifest.json", (json.dumps(manifest, indent=indent) + "\n").encode())


def pin_as_of(store: Path, day: date) -> None:
    """Fix the day for which a store answers when none is asked for (a common date of many sources)."""
    with locked(store):
        write_manifest(store, {**read_manifest(store), "pinned_as_of": day.isoformat()})


def read_manifest(store: Path) -> dict[str, Any]:
    """The manifest of a store.

    Raises:
        SnapshotMissing: there is none.
        FactsError: it is damaged or of another schema.
    """
    path = store / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        if manifest["schema"] != SCHEMA_VERSION:
            raise FactsError(
                f"{path}: schema {manifest['schema']}, this version reads {SCHEMA_VERSION}; "
                "collect the facts anew"
            )
        manifest["files"].items()
    except FileNotFoundError:
        raise SnapshotMissing(
            f"no snapshot at {store}: there is no manifest.json; run `advisor collect` first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FactsError(f"{path} is damaged ({error}); collect the facts anew") from None
    return dict(manifest)


def open_store(path: Path, *, may_lack_days: bool = False) -> Store:
    """Open a store for reading.

    Args:
        path: its folder.
        may_lack_days: whether a store will do that can only be read row by row, since nothing in it
            has a day (whose packages these are, and nothing else yet).

    Raises:
        SnapshotMissing: there is none.
        FactsError: its manifest is damaged or of another schema.
    """
    manifest = read_manifest(path)
    if not manifest["files"] or not (manifest.get("as_of") or may_lack_days):
        raise SnapshotMissing(f"the snapshot at {path} holds no facts; run `advisor collect` first")
    return Store(path, manifest)


def knows_all(path: Path, repositories: Iterable[str]) -> bool:
    """Whether there is a store at the path with facts about each of these."""
    try:
        return set(repositories) <= set(open_store(path).repositories())
    except FactsError:
        return False


def open_benchmarks(path: Path) -> Store | None:
    """A store for the sake of what was measured on machines; None where it holds nothing of that.

    Raises:
        FactsError: its manifest is damaged or of another schema.
    """
    if not (path / "manifest.json").is_file():
        return None
    store = Store(path, read_manifest(path))
    return store if store.benched() else None


def verify(store: Store, repositories: Iterable[str]) -> list[Damage]:
    """Compare the files of these repositories with their hashes; return what does not agree."""
    found = []
    reasons: dict[str, str] = {}
    for repository in repositories:
        for file in store.files.get(repository, ()):
            entry = store.manifest["files"][file]
            held = entry.get("in", file)
            if held not in reasons:
                reasons[held] = _wrong_with(store.path / held, store.partitions.get(held, entry))
            if reasons[held]:
                found.append(Damage(repository, store.path / held, reasons[held]))
    return found


def _wrong_with(path: Path, entry: Mapping[str, Any]) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    sound = digest in {entry["sha256"], entry.get("next_sha256")}
    return "" if sound else "does not agree with its hash in manifest.json (damaged)"


def connect(
    store: Store, repositories: Sequence[str], as_of: date, settings: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB on the store with one view a table, cut at the end of ``as_of``.

    Only the files of ``repositories`` are read. A table without a file is an empty view.

    Args:
        store: the facts.
        repositories: whose.
        as_of: the day at whose end the views are cut.
        settings: of DuckDB, in place of two threads and no limit (``memory_limit``, ``temp_directory``).

    Raises:
        FactsError: a file is no Parquet, or holds what is no row of its table.
    """
    import duckdb

    db = duckdb.connect(config={"threads": 2, **(settings or {})})
    for table in TABLES:
        # Copied once into memory: some twenty metrics read each table.
        try:
            db.execute(f"CREATE TEMP TABLE all_{table} AS {rows_of(store, table, repositories)}")
        except duckdb.Error as error:
            db.close()
            raise FactsError(f"{table} in {store.path} cannot be read: {error}") from None
    cut(db, as_of)
    return db


def cut(db: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Set the views of an open connection to the end of a day."""
    for table in TABLES:
        view = as_of_view(table, f"all_{table}", f"DATE '{as_of.isoformat()}'")
        db.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {view}")


def read(store: Store, table: str, repository: str, part: str = "") -> list[dict[str, Any]]:
    """All rows of one file of one repository, in the order of the file; [] where there is none."""
    import duckdb

    file = file_of(table, repository, part)
    if file not in store.manifest["files"]:
        return []
    with duckdb.connect() as db:
        try:
            found = db.execute(rows_of_file(store, file))
        except duckdb.Error as error:
            held = store.manifest["files"][file].get("in", file)
            raise FactsError(f"{store.path / held} is damaged ({error})") from None
        names_found = [d[0] for d in found.description]
        return [dict(zip(names_found, row, strict=True)) for row in found.fetchall()]
