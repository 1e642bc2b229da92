"""A library of the population: its packages, its newest figures and their changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date

ECOSYSTEMS = ("pypi", "conda", "npm", "cargo")
TOTALS = (
    "stars", "forks", "downloads", "contributors", "commits", "open_issues", "closed_issues",
    "change_requests", "releases", "dependents",
)  # fmt: skip
LAG_DAYS = (90, 365)


@dataclass(frozen=True)
class Library:
    """What the lists say about a repository.

    Attributes:
        repository: ``owner/name``.
        day: the day of the figures.
        source: the list with the newest figures, a name in ``lists.toml``.
        formerly: earlier names of the repository, as the lists wrote them.
        categories: ``list/category`` of each list that had it in its newest months.
        licence: SPDX id; None: unknown.
        pypi, conda, npm, cargo: package in this ecosystem, or None.
        created_on: the day of the repository's creation; it may be younger than its code.
        last_commit, last_release: the newest days on the default branch and of stable releases.
        stars, forks, dependents: totals on the day. ``dependents`` counts repositories and packages.
        downloads: in the month before, over all package indexes that the list reads.
        downloads_pypi: the same, from PyPI alone.
        contributors: all that GitHub counts so far, with the anonymous ones.
        commits: on the default branch.
        open_issues, closed_issues: without change requests.
        change_requests, releases: all so far.
        changes: ``(total, days)`` → its change over 90 or 365 days, scaled to exactly these days.
        outlooks: months → (chance of abandonment, low, high), as of the day.
    """

    repository: str
    day: date
    source: str
    formerly: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    licence: str | None = None
    pypi: str | None = None
    conda: str | None = None
    npm: str | None = None
    cargo: str | None = None
    created_on: date | None = None
    last_commit: date | None = None
    last_release: date | None = None
    stars: int | None = None
    forks: int | None = None
    downloads: int | None = None
    downloads_pypi: int | None = None
    contributors: int | None = None
    commits: int | None = None
    open_issues: int | None = None
    closed_issues: int | None = None
    change_requests: int | None = None
    releases: int | None = None
    dependents: int | None = None
    changes: Mapping[tuple[str, int], float] = field(default_factory=dict)
    outlooks: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)


HORIZONS = (12, 24)  # months


def _column_types() -> dict[str, str]:
    kinds = {"repository": "VARCHAR", "day": "DATE", "source": "VARCHAR"}
    kinds |= dict.fromkeys(("formerly", "categories"), "VARCHAR[]")
    kinds |= dict.fromkeys(("licence", *ECOSYSTEMS), "VARCHAR")
    kinds |= dict.fromkeys(("created_on", "last_commit", "last_release"), "DATE")
    kinds |= {f.name: "BIGINT" for f in fields(Library) if f.name not in {*kinds, "changes", "outlooks"}}
    kinds |= {f"{name}_{days}d": "DOUBLE" for name in TOTALS for days in LAG_DAYS}
    return kinds | {f"outlook_{m}{end}": "DOUBLE" for m in HORIZONS for end in ("", "_low", "_high")}


COLUMN_TYPES: Mapping[str, str] = _column_types()
"""The columns of the file with their DuckDB types."""
