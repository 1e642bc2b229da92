"""Finds the repository of a package: from the file, the facts, the domains or the bundled table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from advisor.answers.dependencies import Dependency
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.errors import ConfigError, FactsError
from advisor.facts.database import fetch_rows, open_database
from advisor.facts.reading import check_rows
from advisor.facts.store import Store, all_rows_sql, list_files
from advisor.facts.tables import ATTESTATION

_COLUMNS = ("ecosystem", "package", "repository", "source", "read_on")


class Origin(NamedTuple):
    """The repository of a package, and the source of this information.

    Attributes:
        is_claim: whether only the package itself says so: its metadata, its page at the index, an SBOM.
            Anybody can publish a package that names somebody else's repository.
    """

    repository: str
    source: str
    is_claim: bool = False


def read_origins(stores: Sequence[Store], folder: Path | None = None) -> dict[tuple[str, str], Origin]:
    """Return (ecosystem, package) → repository; facts replace domains, and domains replace the bundled table.

    Raises:
        ConfigError: the bundled table is damaged.
    """
    origins = _bundled_origins(folder or data_folder())
    for name in available_domains(folder):
        for entry in load_domain(name, folder).candidates:
            if entry.package:
                key = ("pypi", canonicalize_name(entry.package))
                origins[key] = Origin(entry.repository, f"domain {name}")
    for store in reversed(stores):
        origins |= _fact_origins(store, origins)
    return origins


def find_origin(dependency: Dependency, origins: Mapping[tuple[str, str], Origin]) -> Origin | None:
    """Return the repository of a dependency; what somebody else says counts more than the package's word."""
    origin = None
    if not dependency.local:
        origin = origins.get((dependency.ecosystem, dependency.name))
    if dependency.repository and (not dependency.is_claim or origin is None or origin.is_claim):
        return Origin(dependency.repository, dependency.file, dependency.is_claim)
    return origin


def _bundled_origins(folder: Path) -> dict[tuple[str, str], Origin]:
    path = folder / "packages.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            (row["ecosystem"], row["package"]): Origin(
                row["repository"], f"{row['source']}, {row['read_on']}", is_claim=True
            )
            for row in rows
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: expected a table with the columns {', '.join(_COLUMNS)} ({error})"
        ) from None


def _fact_origins(store: Store, earlier: Mapping[tuple[str, str], Origin]) -> dict[tuple[str, str], Origin]:
    origins: dict[tuple[str, str], Origin] = {}
    for table, ecosystem in (("package_releases", "'pypi'"), ("packages", "ecosystem")):
        if not any(file.startswith(f"{table}/") for file in store.manifest["files"]):
            continue
        import duckdb

        names = store.repositories()
        try:
            with open_database([store.path]) as db:
                check_rows(db, store, list_files(store, table, names))
                result = db.execute(
                    f"SELECT DISTINCT {ecosystem}, package, repository, source, retrieved_at"
                    f" FROM ({all_rows_sql(store, table, names)})"
                    " WHERE package IS NOT NULL AND repository IS NOT NULL"
                    " ORDER BY retrieved_at, repository"
                )
                rows = fetch_rows(result)
        except duckdb.Error as error:
            raise FactsError(f"{table} in {store.path} cannot be read: {error}") from None
        for kind, package, repository, source, day in rows:
            if kind == "conda":  # written by earlier versions, for a package of the same name on PyPI
                continue
            name = canonicalize_name(package) if kind == "pypi" else package
            before = origins.get((kind, name), earlier.get((kind, name)))
            is_proven = source == ATTESTATION or (
                before is not None and before.repository == repository and not before.is_claim
            )
            origins[kind, name] = Origin(repository, f"{source}, {day}", is_claim=not is_proven)
    return origins
