"""The manifest of a store: the list of its files with their hashes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts.checks import check_folder, check_manifest, check_size, most_manifest_bytes
from advisor.facts.store import is_benchmark_file
from advisor.facts.tables import TABLES
from advisor.files import DRAFT_PREFIX, write_atomically

SCHEMA_VERSION = 1
MAX_INDENTED_FILES = 5000


@contextmanager
def lock_store(path: Path) -> Iterator[None]:
    """Lock the store for one writer, and remove what a killed writer left; a second writer waits.

    Raises:
        FactsError: the store has links or special files.
    """
    import fcntl

    path.mkdir(parents=True, exist_ok=True)
    check_folder(path)
    handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for folder in (path, *(path / table for table in TABLES)):
            for draft in folder.glob(f"*{DRAFT_PREFIX}*"):  # DuckDB writes tmp_.draft.… first
                draft.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


def replace_in_partition(manifest: dict[str, Any], file: str) -> None:
    """Mark the rows of a file in its partition as replaced; readers then ignore them."""
    partition = manifest["partitions"][manifest["files"][file]["in"]]
    partition["replaced"] = sorted({*partition.get("replaced", ()), file})


def write_manifest(store: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest; set its first day and as-of date from the files with facts about projects."""
    files = [entry for file, entry in manifest["files"].items() if not is_benchmark_file(file)]
    manifest["schema"] = SCHEMA_VERSION
    manifest["first_day"] = min((f["first_day"] for f in files if "first_day" in f), default=None)
    if "pinned_as_of" in manifest:
        manifest["as_of"] = manifest["pinned_as_of"]
    else:
        manifest["as_of"] = max((f["last_day"] for f in files if "last_day" in f), default=None)
    # Nobody reads a manifest of many hundred repositories by eye, and indenting takes ten times as long.
    indent = 1 if len(files) <= MAX_INDENTED_FILES else None
    write_atomically(store / "manifest.json", (json.dumps(manifest, indent=indent) + "\n").encode())


def pin_as_of(store: Path, day: date) -> None:
    """Set the as-of date that a store uses by default (a common date of many sources)."""
    with lock_store(store):
        write_manifest(store, {**read_manifest(store), "pinned_as_of": day.isoformat()})


def manifest_digest(store: Path) -> str:
    """Return the SHA-256 of a manifest: it names every fact of the store, because it has their hashes."""
    return hashlib.sha256((store / "manifest.json").read_bytes()).hexdigest()


def read_manifest(store: Path) -> dict[str, Any]:
    """Read the manifest of a store.

    Raises:
        SnapshotMissing: the store has no manifest.
        FactsError: the manifest is damaged or has another schema version, or the store has links, special
            files or names of files elsewhere.
    """
    path = store / "manifest.json"
    check_folder(store)
    try:
        check_size(path, most_manifest_bytes())
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["schema"] != SCHEMA_VERSION:
            raise FactsError(
                f"{path}: the manifest has schema {manifest['schema']}, but this version reads schema "
                f"{SCHEMA_VERSION}; collect the facts again"
            )
        check_manifest(manifest)
    except NotADirectoryError:
        file = next(place for place in (store, *store.parents) if place.exists())
        raise SnapshotMissing(f"no snapshot at {store}: {file} is a file, not a folder") from None
    except FileNotFoundError:
        raise SnapshotMissing(
            f"no snapshot at {store}: there is no manifest.json; run `advisor collect` first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FactsError(f"{path} is damaged ({error}); collect the facts again") from None
    return dict(manifest)
