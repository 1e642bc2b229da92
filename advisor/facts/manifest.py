"""The manifest of a store: which files it has, with a hash of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts.store import is_aside
from advisor.files import write_atomically

SCHEMA_VERSION = 1
FILES_TO_READ = 5000


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store for one writer; a second one waits."""
    import fcntl

    path.mkdir(parents=True, exist_ok=True)
    with (path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
