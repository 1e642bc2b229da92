"""Kept measurements that advisor may believe: bundled with it, or written by it on this machine.

A kept file names the facts behind its numbers, but anybody can write that name beside other numbers. So each
kept file has a seal beside it, ``FILE.seal``: a keyed hash of its name and content. The key is in the user's
cache, and only there. The files that come with advisor have no seal; their hashes are in the bundled
``snapshot_digests.json``. Every other file is ignored, and advisor measures instead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

from advisor.domain.files import data_folder
from advisor.facts.checks import check_size
from advisor.files import cache_home, draft_file, write_atomically

DIGESTS_FILE = "snapshot_digests.json"
_KEY_BYTES, _SEAL_BYTES = 32, 64
_UNCHECKED_BYTES = 2**24
_MAX_BYTES = 2**28  # measurements of 300 repositories take about 5 MB


def write_with_seal(path: Path, data: bytes) -> None:
    """Replace a file and write its seal."""
    write_atomically(path, data)
    write_seal(path, path.name, hashlib.sha256(data).hexdigest())


def write_seal(path: Path, name: str, sha256: str) -> None:
    """Write the seal of a file that advisor has just written; without a place for the key, write none.

    Args:
        path: the file.
        name: its name in the store, which the seal binds to the content.
        sha256: hash of its content.
    """
    if (seal := make_seal(name, sha256)) is not None:
        write_atomically(seal_path(path), seal)


def make_seal(name: str, sha256: str) -> bytes | None:
    """Return the content of a seal; None if there is no place for the key of this machine."""
    key = _read_key(create=True)
    return None if key is None else _seal(key, name, sha256)


def seal_path(path: Path) -> Path:
    """Return the path of the seal of a file."""
    return path.with_name(f"{path.name}.seal")


def read_with_seal(path: Path) -> bytes | None:
    """Return the content of a file; None if it is missing, or neither bundled nor written here."""
    try:
        check_size(path, _MAX_BYTES)
        if path.stat().st_size > _UNCHECKED_BYTES and not is_sealed(path, path.name):
            return None  # before a large file of a stranger is in memory
        data = path.read_bytes()
    except OSError:
        return None
    return data if _is_known(path, path.name, hashlib.sha256(data).hexdigest()) else None


def is_sealed(path: Path, name: str) -> bool:
    """Return whether a file is bundled with advisor, or has the seal of this machine for this name."""
    try:
        check_size(path, _MAX_BYTES)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return False
    return _is_known(path, name, sha256)


def _is_known(path: Path, name: str, sha256: str) -> bool:
    if sha256 in _read_bundled_digests():
        return True
    key = _read_key()
    try:
        check_size(seal_path(path), _SEAL_BYTES)
        seal = seal_path(path).read_bytes()
    except OSError:
        return False
    return key is not None and hmac.compare_digest(seal, _seal(key, name, sha256))


def _seal(key: bytes, name: str, sha256: str) -> bytes:
    return hmac.new(key, f"{name}\0{sha256}".encode(), "sha256").hexdigest().encode()


@cache
def _read_bundled_digests() -> frozenset[str]:
    return frozenset(json.loads((data_folder() / DIGESTS_FILE).read_text(encoding="utf-8")).values())


def _read_key(*, create: bool = False) -> bytes | None:
    """Return the key of this machine; None if there is none, or no place for a new one."""
    path = cache_home() / "measurements.key"
    try:
        if create and not path.exists():
            with draft_file(path.parent) as draft:
                draft.write_bytes(secrets.token_bytes(_KEY_BYTES))
                with suppress(FileExistsError):  # another process was faster
                    os.link(draft, path)
        key = path.read_bytes()
    except OSError:
        return None
    return key if len(key) == _KEY_BYTES else None
