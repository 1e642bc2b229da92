"""What a store of facts holds and where, and the SQL of its rows.

A store is a folder: ``<table>/<owner>__<name>.parquet``, one file a table and repository; or
``<owner>__<name>@<part>.parquet``, where several sources write; or ``partition-<hash>.parquet``, the rows of
many such files (see `partitions`). ``manifest.json`` names them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from advisor.facts.tables import ASIDE, columns
from advisor.facts.views import one_row_each


@dataclass(frozen=True)
class Store:
    """A folder of fact tables.

    Attributes:
        path: the folder.
        manifest: what ``manifest.json`` holds: ``schema``, ``as_of``, ``files``
            (relative path → ``sha256`` of the file, ``in`` if its rows lie in a partition instead, ``rows``,
            ``head`` where the file comes from a history)
            and ``partitions`` (relative path → ``sha256``, ``rows``, ``replaced``: the files whose rows
            in it count no more).
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def as_of(self) -> date:
        """The last day that the store knows; what a question without a date is answered for."""
        return date.fromisoformat(self.manifest["as_of"])

    @property
    def first_day(self) -> date:
        """The day of the first fact."""
        return date.fromisoformat(self.manifest["first_day"])

    def repositories(self) -> list[str]:
        """Repositories with at least one file of facts about them, by name."""
        return sorted({r for r, files in self.files.items() if not all(map(is_aside, files))}, key=str.lower)

    def benched(self) -> list[str]:
        """Repositories of which something was measured on a machine."""
        return sorted(r for r, files in self.files.items() if any(map(is_aside, files)))

    @cached_property
    def files(self) -> Mapping[str, Sequence[str]]:
        """Repository → its files in the manifest."""
        found: dict[str, list[str]] = {}
        for file in self.manifest["files"]:
            found.setdefault(repository_of(file), []).append(file)
        return found

    @cached_property
    def held(self) -> Mapping[str, int]:
        """Partition → how many files of the manifest have their rows in it."""
        return Counter(entry["in"] for entry in self.manifest["files"].values() if "in" in entry)

    @property
    def partitions(self) -> Mapping[str, Any]:
        """Files of many repositories, by relative path."""
        found: Mapping[str, Any] = self.manifest.get("partitions", {})
        return found


def file_of(table: str, repository: str, part: str = "") -> str:
    """Path of a file, relative to the store."""
    return f"{table}/{repository.replace('/', '__', 1)}{'@' + part if part else ''}.parquet"


def is_aside(file: str) -> bool:
    """Whether a file of the manifest tells of machines and not of the project."""
    return file.partition("/")[0] in ASIDE


def repository_of(file: str) -> str:
    """Repository of which a file of the manifest holds the rows."""
    return part_of(file)[0]


def part_of(file: str) -> tuple[str, str]:
    """Repository and part of which a file of the manifest holds the rows."""
    name, _, part = file.partition("/")[2].removesuffix(".parquet").partition("@")
    return name.replace("__", "/", 1), part


def rows_of(store: Store, table: str, repositories: Sequence[str]) -> str:
    """SQL of the rows of a table that these repositories have in a store, one for each thread or release."""
    return one_row_each(table, all_rows_of(store, table, repositories))


def all_rows_of(store: Store, table: str, repositories: Sequence[str]) -> str:
    """SQL of all rows of a table that these repositories have in a store, in its files and its partitions."""
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns(table).items())
    source = f"SELECT {nothing} WHERE false"
    loose, partitions = split(store, table, repositories)
    if loose:
        # Files of an older version lack the newer columns.
        source += f" UNION ALL BY NAME SELECT * FROM {parquet(store, loose)}"
    if partitions:
        whole = all(store.held[name] == count for name, count in partitions.items())
        here = "true" if whole else f"repository IN ({listed(map(text, sorted(set(repositories))))})"
        source += (
            f" UNION ALL BY NAME SELECT * EXCLUDE (part) FROM {parquet(store, sorted(partitions))}"
            f" WHERE {here} AND {not_replaced(store, partitions)}"
        )
    # A file of another version may have further columns, and one from elsewhere other types.
    typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns(table).items())
    return f"SELECT {typed} FROM ({source})"


def rows_of_file(store: Store, file: str) -> str:
    """SQL of the rows of one file of the manifest, in the order in which it is written, wherever they lie."""
    held = store.manifest["files"][file].get("in")
    if held is None:
        return f"SELECT * FROM {parquet(store, [file])}"
    repository, part = part_of(file)
    names = listed(columns(file.partition("/")[0]))
    where = f"repository = {text(repository)} AND part = {text(part)}"
    return f"SELECT {names} FROM {parquet(store, [held])} WHERE {where} ORDER BY ALL"


def split(store: Store, table: str, repositories: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Files of these repositories alone, and partition → how many files of theirs have their rows in it."""
    files = [f for r in repositories for f in store.files.get(r, ()) if f.startswith(f"{table}/")]
    entries = store.manifest["files"]
    return [f for f in files if "in" not in entries[f]], Counter(
        entries[f]["in"] for f in files if "in" in entries[f]
    )


def parquet(store: Store, files: Sequence[str]) -> str:
    """SQL that reads files of a store; a column that an older one lacks is NULL."""
    return f"read_parquet([{listed(text(str(store.path / f)) for f in files)}], union_by_name=true)"


def text(value: str) -> str:
    """A string as SQL."""
    return "'" + value.replace("'", "''") + "'"


def not_replaced(store: Store, partitions: Iterable[str]) -> str:
    """Condition for the rows of partitions that still count."""
    gone = [part_of(file) for p in partitions for file in store.partitions[p].get("replaced", ())]
    pairs = listed(f"({text(repository)}, {text(part)})" for repository, part in gone)
    return f"(repository, part) NOT IN ({pairs})" if gone else "true"


def listed(texts: Iterable[str]) -> str:
    """Expressions with commas between them."""
    return ", ".join(texts)
