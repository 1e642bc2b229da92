"""Reads the facts about packages apart from their health: licences and withdrawn versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from advisor.answers.dependencies.text import shorten
from advisor.errors import FactsError
from advisor.facts.database import fetch_rows, open_database
from advisor.facts.reading import check_rows
from advisor.facts.store import Store, all_rows_sql, list_files
from advisor.texts import replace_controls


@dataclass(frozen=True)
class Details:
    """The facts about a package apart from its health.

    Attributes:
        licence: SPDX identifier; None: unknown.
        licence_source: where it is from.
        downloads: in the last month.
        dependents: packages and repositories that need it, on a public list; deps.dev counts only those of
            one version.
        advisories: open security advisories.
        is_yanked: whether the index withdrew the version that the file pins; None: unknown.
        download_bytes: size of the largest wheel of the version, from the lock file.
        deprecation: why its authors advise against the version, from the lock file or the index; empty: they
            do not, or it is unknown.
    """

    licence: str | None = None
    licence_source: str = ""
    downloads: int | None = None
    dependents: int | None = None
    advisories: int | None = None
    is_yanked: bool | None = None
    download_bytes: int | None = None
    deprecation: str = ""


Withdrawals = dict[str, dict[tuple[str, str], bool]]
"""Repository → (package, version) → whether the index withdrew it."""
Deprecations = dict[tuple[str, str, str, str | None], str]
"""Repository, ecosystem, package and version (None: the newest) → why its authors advise against it."""

_QUERIES = {
    "repositories": "SELECT repository, arg_max(licence, observed_on), max(observed_on) FROM ({rows})"
    " WHERE licence IS NOT NULL AND observed_on <= DATE '{day}' GROUP BY repository",
    "package_releases": "SELECT repository, package, version, is_yanked FROM ({rows})"
    " WHERE is_yanked IS NOT NULL AND released_on <= DATE '{day}'",
    "deprecations": "SELECT repository, ecosystem, package, version, message FROM ({rows})"
    " WHERE message IS NOT NULL AND retrieved_at <= DATE '{day}'",
}


def read_details(
    store: Store, repositories: Sequence[str], day: date
) -> tuple[dict[str, Details], Withdrawals]:
    """Return the facts about repositories on a day, and their versions.

    Raises:
        FactsError: a table cannot be read.
    """
    details: dict[str, Details] = {}
    for repository, licence, observed_on in _query(store, "repositories", repositories, day):
        details[repository] = Details(licence=licence, licence_source=f"its repository, {observed_on}")
    withdrawals: Withdrawals = {}
    for repository, package, version, is_yanked in _query(store, "package_releases", repositories, day):
        withdrawals.setdefault(repository, {})[package, version] = is_yanked
    return details, withdrawals


def read_deprecations(store: Store, repositories: Sequence[str], day: date) -> Deprecations:
    """Return what was known on a day about deprecated versions of packages of repositories.

    Raises:
        FactsError: a table cannot be read.
    """
    return {
        (repository, ecosystem, package, version): shorten(replace_controls(message))
        for repository, ecosystem, package, version, message in _query(
            store, "deprecations", repositories, day
        )
    }


def _query(store: Store, table: str, repositories: Sequence[str], day: date) -> Iterator[tuple[Any, ...]]:
    files = list_files(store, table, repositories)
    if not files:
        return
    import duckdb

    try:
        with open_database([store.path]) as db:
            check_rows(db, store, files)
            query = _QUERIES[table].format(rows=all_rows_sql(store, table, repositories), day=day)
            yield from fetch_rows(db.execute(query))
    except duckdb.Error as error:
        raise FactsError(f"{table} in {store.path} cannot be read: {error}") from None
