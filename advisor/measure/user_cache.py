"""Answers of past days that were asked once, in the user's cache folder, each with a seal (see `seals`).

The key of a file is a hash of everything that its content depends on, among it the code, so a file is never
stale. The oldest files are removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from advisor.files import cache_home
from advisor.measure.seals import read_with_seal, seal_path, write_with_seal

MOST_FILES = 100  # about 15 MB of measurements of 15 candidates


def hash_code(files: Iterable[Path]) -> str:
    """Return a hash of source files, so that another version of advisor finds other keys."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(files))).hexdigest()


def read_value(key: str) -> Any:
    """Return the value that was written with this key on this machine; None if there is none."""
    data = read_with_seal(_folder() / f"{key}.json")
    return json.loads(data) if data else None


def write_value(key: str, value: Any) -> None:
    """Write a value for JSON; do nothing if the cache folder takes no files."""
    data = json.dumps(value, separators=(",", ":"), default=str).encode()
    with suppress(OSError):
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        write_with_seal(folder / f"{key}.json", data)
        newest_first = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in newest_first[MOST_FILES:]:
            file.unlink(missing_ok=True)
            seal_path(file).unlink(missing_ok=True)


def _folder() -> Path:
    return cache_home() / "answers"
