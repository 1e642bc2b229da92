"""Check a store that may come from a stranger, before anything in it is used.

A store has only regular files and folders, and its manifest names only files of the store. The numbers in the
manifest bound what a reader does: no file is larger than its rows can be.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.addresses import check_repository
from advisor.errors import FactsError, InputError
from advisor.facts.tables import TABLES
from advisor.memory import read_memory_limit

MAX_MANIFEST_BYTES = 256 * 2**20  # 50,000 repositories take about 50 MB
_PARSED_SIZE = 32  # how much more memory than bytes the values of hostile JSON can take
MAX_ROWS = 3_000_000  # of one file; a partition has about one million, the longest history fewer than one
_FILE_BYTES, _ROW_BYTES = 2**20, 1024  # at most; bundled files have 6 kB and 20 bytes a row
MAX_FILE_BYTES = 256 * 2**20
YEARS = "between the years 1000 and 9000"

_TABLE = "|".join(TABLES)
_FILE = re.compile(
    rf"(?P<table>{_TABLE})/(?P<owner>[^/@_]+)__(?P<name>[^/@]+?)(?:@[A-Za-z0-9._-]{{1,100}})?\.parquet"
)
_PARTITION = re.compile(rf"(?P<table>{_TABLE})/partition-[0-9a-f]{{16}}\.parquet")


def check_folder(path: Path) -> None:
    """Check that a folder has only regular files and folders, at any depth.

    Raises:
        FactsError: it has a link or a special file, which could lead a reader or a writer elsewhere.
    """
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    check_folder(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False) and os.path.lexists(entry.path):
                    raise FactsError(
                        f"{entry.path} is not a regular file: a store has no links and no special files"
                    )
    except (FileNotFoundError, NotADirectoryError):
        return  # it does not exist yet, or another process has just removed it


def check_size(path: Path, most: int) -> None:
    """Check that a path is a regular file of at most so many bytes.

    Raises:
        OSError: it is missing, something else, or larger; `strerror` says which.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file", str(path))
    if status.st_size > most:
        raise OSError(0, f"{status.st_size:,} bytes, more than the {most:,} that it can have", str(path))


def most_manifest_bytes() -> int:
    """Return how many bytes a manifest can have, so that this machine can hold its values in memory."""
    return min(MAX_MANIFEST_BYTES, read_memory_limit() // (2 * _PARSED_SIZE))


def most_rows(entry: Mapping[str, Any]) -> int:
    """Return how many rows the file of an entry in the manifest can have."""
    # Between the two steps of replacing a file, the entry has the rows of the old file.
    return MAX_ROWS if "next_sha256" in entry else int(entry["rows"])


def most_bytes(entry: Mapping[str, Any]) -> int:
    """Return how many bytes the file of an entry in the manifest can have."""
    return min(MAX_FILE_BYTES, _FILE_BYTES + _ROW_BYTES * most_rows(entry))


def check_manifest(content: Any) -> None:
    """Check the content of a manifest: every name is a file of the store, and every value has its form.

    Raises:
        ValueError: what is wrong, and where.
    """
    try:
        _Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ": ".join(ascii(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {message}" if place else message) from None


def check_day(text: str) -> str:
    """Return the text of a day if a store can have it.

    Raises:
        ValueError: it is not a day, or a window before or after it would leave the calendar.
    """
    if not 1000 <= date.fromisoformat(text).year <= 9000 or len(text) != len("YYYY-MM-DD"):
        raise ValueError(f"expected a day (YYYY-MM-DD) {YEARS}")
    return text


def _check_file(file: str) -> str:
    match = _FILE.fullmatch(file)
    try:
        check_repository(f"{match['owner']}/{match['name']}" if match else "")
    except InputError:
        raise ValueError("expected TABLE/OWNER__NAME.parquet or TABLE/OWNER__NAME@PART.parquet") from None
    return file


def _check_partition(file: str) -> str:
    if not _PARTITION.fullmatch(file):
        raise ValueError("expected TABLE/partition-HASH.parquet")
    return file


_Day = Annotated[str, AfterValidator(check_day)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_File = Annotated[str, AfterValidator(_check_file)]
_Partition = Annotated[str, AfterValidator(_check_partition)]
_Rows = Annotated[int, Field(ge=0, le=MAX_ROWS)]


class _Entry(BaseModel):
    """The entry of a file: its own hash, or the partition with its rows."""

    model_config = ConfigDict(strict=True, defer_build=True)
    rows: _Rows
    sha256: _Digest | None = None
    next_sha256: _Digest | None = None
    partition: _Partition | None = Field(default=None, alias="in")
    head: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")] | None = None
    history: _Digest | None = None
    read_on: _Day | None = None
    first_day: _Day | None = None
    last_day: _Day | None = None


class _PartitionEntry(BaseModel):
    model_config = ConfigDict(strict=True, defer_build=True)
    rows: _Rows
    sha256: _Digest
    obsolete: list[_File] = Field(default=[], alias="replaced")


class _Manifest(BaseModel):
    model_config = ConfigDict(strict=True, defer_build=True)
    files: dict[_File, _Entry]
    partitions: dict[_Partition, _PartitionEntry] = {}
    first_day: _Day | None = None
    as_of: _Day | None = None
    pinned_as_of: _Day | None = None

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        for file, entry in self.files.items():
            if entry.partition is None and entry.sha256 is None:
                raise ValueError(f"{file}: expected the key sha256 or in")
            if entry.partition is not None and (
                entry.partition not in self.partitions or _table(entry.partition) != _table(file)
            ):
                raise ValueError(f"{file}: {entry.partition} is not a partition of its table")
        for name, partition in self.partitions.items():
            if any(_table(file) != _table(name) for file in partition.obsolete):
                raise ValueError(f"{name}: a replaced file is of another table")
        return self


def _table(file: str) -> str:
    return file.partition("/")[0]
