"""Read libraries of the population from its file: by repository, by package or by category."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.domain.files import data_folder, read_toml
from advisor.errors import FactsError
from advisor.facts.database import join_with_commas, open_database, parquet_sql
from advisor.population.library import COLUMN_TYPES, ECOSYSTEMS, HORIZONS, LAG_DAYS, TOTALS, Library

if TYPE_CHECKING:
    import duckdb

POPULATION_FILE = Path("population") / "population.parquet"
LISTS_FILE = Path("population") / "lists.toml"


@dataclass(frozen=True)
class Category:
    """A category of a list.

    Attributes:
        name: ``list/category``.
        libraries: how many libraries of the population it has.
    """

    name: str
    libraries: int


def population_file() -> Path:
    """Return the path of the bundled file."""
    return data_folder() / POPULATION_FILE


def read_list_repositories() -> dict[str, str]:
    """Return list → its repository, ``owner/name``."""
    return {name: str(entry["repository"]) for name, entry in read_toml(data_folder() / LISTS_FILE).items()}


def read_libraries(repositories: Iterable[str], file: Path | None = None) -> dict[str, Library]:
    """Return the libraries of these repositories, by their name now or one that they had.

    Args:
        repositories: ``owner/name``; capitals do not matter.
        file: the population's file; None: the bundled one.

    Returns:
        The given name in lower case → library; a repository that no list has is not there. A name that
        belongs to one library now and belonged to another is the first one's.

    Raises:
        FactsError: the file cannot be read.
    """
    names = {name.lower() for name in repositories}
    if not names:
        return {}
    rows = _read(
        "lower(repository) IN (SELECT unnest($names))"
        " OR list_has_any(list_transform(formerly, lambda name: lower(name)), $names)",
        {"names": sorted(names)},
        file,
    )
    earlier = {name.lower(): row for row in rows for name in row.formerly}
    now = {row.repository.lower(): row for row in rows}
    return {name: row for name, row in (earlier | now).items() if name in names}


def read_packages(
    packages: Mapping[str, Collection[str]], file: Path | None = None
) -> dict[tuple[str, str], Library]:
    """Return the libraries that publish these packages.

    Args:
        packages: ecosystem (``pypi``, ``conda``, ``npm``, ``cargo``) → names; a name on PyPI in any spelling,
            a name on conda with or without its channel.
        file: the population's file; None: the bundled one.

    Returns:
        (ecosystem, name as given) → library. If several repositories claim a package, the one with the
        newest figures, then the one with the most stars.

    Raises:
        FactsError: the file cannot be read.
    """
    conditions, parameters = [], {}
    for ecosystem in ECOSYSTEMS:
        if keys := sorted({_package_key(ecosystem, name) for name in packages.get(ecosystem, ())}):
            conditions.append(f"{_PACKAGE_KEYS[ecosystem]} IN (SELECT unnest(${ecosystem}))")
            parameters[ecosystem] = keys
    if not conditions:
        return {}
    rows = _read(" OR ".join(conditions), parameters, file)
    rows.sort(key=lambda row: (row.day, row.stars or 0))
    owners = {
        (ecosystem, _package_key(ecosystem, name)): row
        for row in rows
        for ecosystem in ECOSYSTEMS
        if (name := getattr(row, ecosystem))
    }
    wishes = [(ecosystem, name) for ecosystem, names in packages.items() for name in names]
    keys_of = {(ecosystem, name): (ecosystem, _package_key(ecosystem, name)) for ecosystem, name in wishes}
    return {wish: owners[key] for wish, key in keys_of.items() if key in owners}


_PACKAGE_KEYS = {
    "pypi": "regexp_replace(lower(pypi), '[-_.]+', '-', 'g')",
    "conda": "lower(regexp_replace(conda, '^.*/', ''))",
    "npm": "lower(npm)",
    "cargo": "lower(cargo)",
}


def _package_key(ecosystem: str, name: str) -> str:
    """Return the spelling in which names of a package are equal (PyPI: PEP 503)."""
    key = name.lower()
    if ecosystem == "pypi":
        return re.sub(r"[-_.]+", "-", key)
    return key.rsplit("/", 1)[-1] if ecosystem == "conda" else key


def read_category(name: str, file: Path | None = None) -> list[Library]:
    """Return the libraries of a category (``list/category``), the most starred first.

    Raises:
        FactsError: the file cannot be read.
    """
    return _read("list_contains(categories, $name)", {"name": name}, file)


def read_categories(file: Path | None = None) -> list[Category]:
    """Return all categories, in the order of their names.

    Raises:
        FactsError: the file cannot be read.
    """
    rows = _fetch(
        "SELECT name, count(*) FROM (SELECT unnest(categories) AS name FROM {source})"
        " GROUP BY name ORDER BY name",
        {},
        file,
    )
    return [Category(name, count) for name, count in rows]


def _read(condition: str, parameters: Mapping[str, Any], file: Path | None) -> list[Library]:
    columns = join_with_commas(COLUMN_TYPES)
    rows = _fetch(
        f"SELECT {columns} FROM {{source}} WHERE {condition} ORDER BY stars DESC NULLS LAST, repository",
        parameters,
        file,
    )
    return [_library(dict(zip(COLUMN_TYPES, row, strict=True))) for row in rows]


def _fetch(query: str, parameters: Mapping[str, Any], file: Path | None) -> list[tuple[Any, ...]]:
    import duckdb

    path = file or population_file()
    with open_database([path.parent]) as db:
        try:
            return _execute(db, query.format(source=parquet_sql([path])), parameters)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise FactsError(f"cannot read the population {path}: {reason}; install advisor again") from None


def _execute(
    db: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    return db.execute(query, dict(parameters)).fetchall()


def _library(row: Mapping[str, Any]) -> Library:
    """Return the library of a row; a column of the file that is no attribute is a change or an outlook."""
    own = {f.name: row[f.name] for f in fields(Library) if f.name in row}
    for name in ("formerly", "categories"):
        own[name] = tuple(own[name] or ())
    changes = {
        (total, days): row[column]
        for total in TOTALS
        for days in LAG_DAYS
        if row[column := f"{total}_{days}d"] is not None
    }
    outlooks = {
        months: (row[f"outlook_{months}"], row[f"outlook_{months}_low"], row[f"outlook_{months}_high"])
        for months in HORIZONS
        if row[f"outlook_{months}"] is not None
    }
    return Library(**own, changes=changes, outlooks=outlooks)
