"""The facts about some repositories up to a day, checked once and opened once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from advisor.facts import reading
from advisor.facts.store import Store

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class FactsView:
    """What an answer may read: some repositories of a store, up to a day.

    Attributes:
        store: the facts.
        repositories: the repositories to read.
        as_of: the last day that is visible.
    """

    store: Store
    repositories: tuple[str, ...]
    as_of: date

    @cached_property
    def damages(self) -> tuple[reading.Damage, ...]:
        """The files that do not match their hash in the manifest."""
        return tuple(reading.verify_files(self.store, self.repositories))

    @cached_property
    def intact_repositories(self) -> tuple[str, ...]:
        """The repositories without a damaged file."""
        damaged_names = {damage.repository for damage in self.damages}
        return tuple(r for r in self.repositories if r not in damaged_names)

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """DuckDB with a view of each fact table, opened on first use (see `reading.open_views`).

        Raises:
            FactsError: a file matches its hash but cannot be read.
        """
        return reading.open_views(self.store, self.intact_repositories, self.as_of)

    def select(self, repositories: Iterable[str]) -> FactsView:
        """Return the view of these repositories; the same one if they are the same."""
        names = tuple(repositories)
        return self if names == self.repositories else FactsView(self.store, names, self.as_of)
