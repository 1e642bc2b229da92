"""Where the user's files are, and how a file is replaced so that a crash loses nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def data_home() -> Path:
    """The user's data folder (XDG): facts, cloned histories, runs."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "advisor"


def cache_home() -> Path:
    """The user's cache folder (XDG): tokens, models, stack environments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "advisor"


@contextmanager
def draft_file(folder: Path) -> Iterator[Path]:
    """Create an empty file in a folder; at the end of the block it is deleted unless `publish` moved it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".draft.")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def publish(draft: Path, path: Path) -> None:
    """Move a draft of the same folder to its final name: sync, rename, sync.

    After a crash either the old file or the new one is there, and it is whole.
    """
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.chmod(0o644)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file; after a crash either the old content or the new one is there.

    Raises:
        OSError: the file cannot be written; then the old one is left as it was.
    """
    with draft_file(path.parent) as draft:
        draft.write_bytes(data)
        publish(draft, path)
