"""Read the Python files of a source archive or a wheel in memory; nothing is unpacked to disk or executed.

An archive comes from strangers, so its size after decompression, its number of members and the size of each
file have limits. Only regular files count: a link leads nowhere, and a path is no more than a name.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from advisor.collect.public_api.package_files import MAX_FILE_BYTES
from advisor.errors import Unsound

MAX_UNPACKED_BYTES = 512 * 2**20
MAX_MEMBERS = 100_000
_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    OverflowError,
    MemoryError,
    lzma.LZMAError,
    struct.error,
)
"""What the standard library raises for an archive that is damaged, encrypted or of an unknown kind."""


class Sources:
    """The Python files of one release: path → blob, and their texts by blob."""

    def __init__(self, files: Iterator[tuple[str, bytes]] | None = None) -> None:
        self.paths: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}
        self.replace(files or iter(()))

    def replace(self, files: Iterator[tuple[str, bytes]]) -> None:
        """Forget the release, and hold these files (path, content)."""
        paths, contents = {}, {}
        for path, content in files:
            blob = hashlib.sha256(content).hexdigest()
            paths[path], contents[blob] = blob, content
        self.paths, self._contents = paths, contents

    def has(self, blob: str) -> bool:
        """Return whether the release has the file."""
        return blob in self._contents

    def find_size(self, blob: str) -> int:
        """Return the size of a file in bytes."""
        return len(self._contents[blob])

    def read_text(self, blob: str) -> str:
        """Return the text of a file."""
        return self._contents[blob].decode("utf-8", "replace")


class _SizeLimit:
    """Counts what comes out of a stream, and stops at a limit."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._rest = stream, MAX_UNPACKED_BYTES

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(min(size, 2**20))
        self._rest -= len(data)
        if self._rest < 0:
            raise Unsound(f"its archive unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB")
        return data


def read_sources(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each Python file of at most `MAX_FILE_BYTES` in an archive.

    Args:
        name: name of the file on the index: ``….tar.gz``, ``….zip`` or ``….whl``.
        content: the archive.

    Raises:
        Unsound: it cannot be read, or exceeds a limit.
    """
    read = _read_tar if name.endswith(".tar.gz") else _read_zip
    try:
        for number, (path, data) in enumerate(read(content)):
            if number >= MAX_MEMBERS:
                raise Unsound(f"its archive has more than {MAX_MEMBERS:,} files")
            if data is not None:
                yield path if name.endswith(".whl") else path.partition("/")[2], data
    except _ERRORS as error:
        raise Unsound(f"its archive cannot be read ({type(error).__name__})") from None


def _is_wanted(path: str, size: int) -> bool:
    is_inside = not path.startswith("/") and ".." not in path.split("/")
    return path.endswith(".py") and is_inside and size <= MAX_FILE_BYTES


def _read_tar(content: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield each member: its path, and its content if it is a Python file."""
    stream = _SizeLimit(cast("IO[bytes]", gzip.GzipFile(fileobj=io.BytesIO(content))))
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            file = archive.extractfile(member) if member.isreg() and _is_wanted(path, member.size) else None
            yield path, file.read() if file else None
            archive.members = []  # type: ignore[attr-defined] # it would keep all of them


def _read_zip(content: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield each member: its path, and its content if it is a Python file."""
    rest = MAX_UNPACKED_BYTES
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            if not _is_wanted(entry.filename, entry.file_size):
                yield entry.filename, None
                continue
            with archive.open(entry) as file:
                data = file.read(MAX_FILE_BYTES + 1)
            rest -= len(data)
            if rest < 0:
                raise Unsound(f"its archive unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB")
            yield entry.filename, data if len(data) <= MAX_FILE_BYTES else None
