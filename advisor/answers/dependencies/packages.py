"""Whose package that is: from the file itself, the facts, the domains, or the table that came along."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from advisor.answers.dependencies import Dependency
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.errors import ConfigError
from advisor.facts.store import Store, all_rows_of

_TABLE = ("ecosystem", "package", "repository", "source", "read_on")


class Origin(NamedTuple):
    """A repository, and what says that it is the one."""

    repository: str
    source: str


def origins(stores: Sequence[Store], folder: Path | None = None) -> dict[tuple[str, str], Origin]:
    """(ecosystem, package) → repository: the table first, over it the domains, over both the facts.

    Raises:
        ConfigError: the table that came along is damaged.
    """
    found = _bundled(folder or data_folder())
    for name in available_domains(folder):
        for entry in load_domain(name, folder).candidates:
            if entry.package:
                key = ("pypi", canonicalize_name(entry.package))
                found[key] = Origin(entry.repository, f"domain {name}")
    for store in reversed(stores):
        found |= _in_facts(store)
    return found


def origin(dependency: Dependency, known: Mapping[tuple[str, str], Origin]) -> Origin | None:
    """The repository of a dependency; a conda package goes by PyPI's where conda's own is not known."""
    if dependency.repository:
        return Origin(dependency.repository, dependency.file)
    if dependency.local:
        return None
    own = known.get((dependency.ecosystem, dependency.name))
    if own is None and dependency.ecosystem == "conda":
        same = known.get(("pypi", canonicalize_name(dependency.name)))
        own = same and Origin(same.repository, f"{same.source}, as the package of that name on PyPI")
    return own


def _bundled(folder: Path) -> dict[tuple[str, str], Origin]:
    path = folder / "packages.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            (row["ecosystem"], row["package"]): Origin(
                row["repository"], f"{row['source']}, {row['read_on']}"
            )
            for row in rows
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: a table of {', '.join(_TABLE)} was expected ({error})") from None


def _in_facts(store: Store) -> dict[tuple[str, str], Origin]:
    found: dict[tuple[str, str], Origin] = {}
    for table, ecosystem in (("package_releases", "'pypi'"), ("packages", "ecosystem")):
        if not any(file.startswith(f"{table}/") for file in store.manifest["files"]):
            continue
        import duckdb

        with duckdb.connect() as db:
            rows = db.execute(
                f"SELECT DISTINCT {ecosystem}, package, repository, source, retrieved_at"
                f" FROM ({all_rows_of(store, table, store.repositories())}) ORDER BY retrieved_at, repository"
            ).fetchall()
        for kind, package, repository, source, day in rows:
            name = canonicalize_name(package) if kind == "pypi" else package
            found[kind, name] = Origin(repository, f"{source}, {day}")
    return found
