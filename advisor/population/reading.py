"""Read libraries of the population from its file: by repository, by package or by category."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from advisor.domain.files import data_folder, read_toml
from advisor.errors import FactsError
from advisor.facts.database import join_with_commas, open_database, parquet_sql, quote
from advisor.population.library import COLUMN_TYPES, ECOSYSTEMS, HORIZONS, LAG_DAYS, TOTALS, Library

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


def read_list_titles() -> dict[str, str]:
    """Return list → its title."""
    return {name: str(entry["title"]) for name, entry in read_toml(data_folder() / LISTS_FILE).items()}


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
        f"lower(repository) IN ({(texts := _literals(names))})"
        f" OR list_has_any(list_transform(formerly, lambda name: lower(name)), [{texts}])",
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
    conditions = []
    for ecosystem in ECOSYSTEMS:
        if keys := {package_key(ecosystem, name) for name in packages.get(ecosystem, ())}:
            conditions.append(f"{_PACKAGE_KEYS[ecosystem]} IN ({_literals(keys)})")
    if not conditions:
        return {}
    # A list of many names takes DuckDB longer than reading all rows.
    is_long = sum(len(names) for names in packages.values()) > _LONG_LIST
    rows = _read("true" if is_long else " OR ".join(conditions), file)
    rows.sort(key=lambda row: (row.day, row.stars or 0))
    owners = {
        (ecosystem, package_key(ecosystem, name)): row
        for row in rows
        for ecosystem in ECOSYSTEMS
        if (name := getattr(row, ecosystem))
    }
    wishes = [(ecosystem, name) for ecosystem, names in packages.items() for name in names]
    keys_of = {(ecosystem, name): (ecosystem, package_key(ecosystem, name)) for ecosystem, name in wishes}
    return {wish: owners[key] for wish, key in keys_of.items() if key in owners}


_LONG_LIST = 5_000
_PACKAGE_KEYS = {
    "pypi": "regexp_replace(lower(pypi), '[-_.]+', '-', 'g')",
    "conda": "lower(regexp_replace(conda, '^.*/', ''))",
    "npm": "lower(npm)",
    "cargo": "lower(cargo)",
}


def package_key(ecosystem: str, name: str) -> str:
    """Return the spelling in which names of a package are equal (PyPI: PEP 503)."""
    key = name.lower()
    if ecosystem == "pypi":
        return re.sub(r"[-_.]+", "-", key)
    return key.rsplit("/", 1)[-1] if ecosystem == "conda" else key


def read_repositories_of(names: Collection[str], file: Path | None = None) -> dict[str, list[str]]:
    """Return name → the repositories that have it after their owner, the most starred first.

    Args:
        names: without an owner; capitals do not matter.
        file: the population's file; None: the bundled one.

    Returns:
        The given name in lower case; one that no list has is not there.

    Raises:
        FactsError: the file cannot be read.
    """
    if not names:
        return {}
    rows = _fetch(
        "SELECT lower(split_part(repository, '/', 2)) AS name,"
        " list(repository ORDER BY stars DESC NULLS LAST)"
        f" FROM population WHERE name IN ({_literals({name.lower() for name in names})}) GROUP BY name",
        file,
    )
    return dict(rows)


def read_category(name: str, file: Path | None = None) -> list[Library]:
    """Return the libraries of a category (``list/category``), the most starred first.

    Raises:
        FactsError: the file cannot be read.
    """
    return _read(f"list_contains(categories, {quote(name)})", file)


def read_categories(file: Path | None = None) -> list[Category]:
    """Return all categories, in the order of their names.

    Raises:
        FactsError: the file cannot be read.
    """
    rows = _fetch(
        "SELECT name, count(*) FROM (SELECT unnest(categories) AS name FROM population)"
        " GROUP BY name ORDER BY name",
        file,
    )
    return [Category(name, count) for name, count in rows]


def read_all_names(file: Path | None = None) -> list[str]:
    """Return the names of all packages on PyPI and of all repositories, without their owner, in lower case.

    Raises:
        FactsError: the file cannot be read.
    """
    rows = _fetch(
        "SELECT lower(pypi) AS name FROM population WHERE pypi IS NOT NULL"
        " UNION SELECT lower(split_part(repository, '/', 2)) FROM population ORDER BY name",
        file,
    )
    return [name for (name,) in rows]


def read_neighbours(
    categories: Collection[str], most: int, file: Path | None = None
) -> dict[str, list[tuple[str, str]]]:
    """Return category → (its title, repository) of its most starred libraries; "others" are left out.

    Args:
        categories: ``list/category``.
        most: how many libraries of each.
        file: the population's file; None: the bundled one.

    Raises:
        FactsError: the file cannot be read.
    """
    names = [name for name in categories if not name.endswith("/others")]
    if not names:
        return {}
    rows = _fetch(
        "SELECT name, repository FROM (SELECT unnest(categories) AS name, repository, stars FROM population)"
        f" WHERE name IN ({_literals(names)}) QUALIFY row_number() OVER"
        f" (PARTITION BY name ORDER BY stars DESC NULLS LAST, repository) <= {int(most)}"
        " ORDER BY name, stars DESC NULLS LAST, repository",
        file,
    )
    titles = read_list_titles()
    neighbours: dict[str, list[tuple[str, str]]] = {}
    for name, repository in rows:
        neighbours.setdefault(name, []).append((category_title(name, titles), repository))
    return neighbours


def category_title(name: str, list_titles: Mapping[str, str]) -> str:
    """Return a category in words, with the list that has it, for example "Web frameworks (Python)"."""
    list_name, _, category = name.partition("/")
    words = category.replace("-", " ").replace("_", " ")
    return f"{words[:1].upper()}{words[1:]} ({list_titles.get(list_name, list_name)})"


def _literals(texts: Iterable[str]) -> str:
    # No parameters: for a list parameter DuckDB imports pandas, which takes longer than the query.
    return join_with_commas(map(quote, sorted(texts)))


def _read(condition: str, file: Path | None) -> list[Library]:
    columns = join_with_commas(COLUMN_TYPES)
    rows = _fetch(
        f"SELECT {columns} FROM population WHERE {condition} ORDER BY stars DESC NULLS LAST, repository", file
    )
    return [_library(dict(zip(COLUMN_TYPES, row, strict=True))) for row in rows]


def _fetch(query: str, file: Path | None) -> list[tuple[Any, ...]]:
    """Return the rows of a query; the table ``population`` has the rows of the file."""
    import duckdb

    path = file or population_file()
    with open_database([path.parent]) as db:
        try:
            db.execute(f"CREATE VIEW population AS SELECT * FROM {parquet_sql([path])}")
            return db.execute(query).fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise FactsError(f"cannot read the population {path}: {reason}; install advisor again") from None


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
