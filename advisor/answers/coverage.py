"""Which library supports which model family since when, and whether its backer's models come first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from advisor.answers.question import Question
from advisor.errors import FactsError, find_name
from advisor.facts.database import fetch_rows, quote
from advisor.facts.facts_view import FactsView
from advisor.measure import months
from advisor.measure.one_day import measure_view, open_metric_views
from advisor.metrics import METRICS
from advisor.metrics.shared.survival import medians, support_spans
from advisor.model import Measurement, Metric

Route = Literal["any", "main", "shown"]
ENTRY = "coverage.json"
_DATES = ("released_on", "supported_on", "removed_on", "packaged_on")
SPREAD = ("model_families", "model_vendors", "effective_vendors", "own_model_share", "vendor_gap")


@dataclass(frozen=True)
class Cell:
    """One family in one library.

    Attributes:
        supported_on: first day of support by the route of the question; None: no support by the as-of date.
        removed_on: the day on which support ended.
        days: from the release of the weights to support; 0 if support came first; None if there is none.
        was_older: whether the weights are older than the library.
        route: the route of the first support: ``main``, ``shown``, ``transformers`` or ``architecture``.
        level: the highest level that holds by the as-of date, whatever the route of the question: ``shown``,
            ``named`` or ``loads``; None: no support.
        name, path, commit, source: the evidence.
        package, packaged_on: the first release on the package index with this support.
    """

    repository: str
    family: str
    vendor: str
    released_on: date
    supported_on: date | None
    removed_on: date | None
    days: int | None
    was_older: bool
    route: str | None
    name: str | None
    path: str | None
    commit: str | None
    source: str
    package: str | None
    packaged_on: date | None
    level: str | None


@dataclass(frozen=True)
class Side:
    """One side of the vendor gap: the families of some vendors, released after the library's first commit.

    Attributes:
        vendors: the vendor, or ``others`` or ``all``.
        families, supported: number of families, and of those with support.
        median, low, high: days to support (Kaplan-Meier, 95 %); None: the curve does not fall to one half.
        within: share with support after 90 days.
    """

    repository: str
    vendors: str
    families: int
    supported: int
    median: float | None
    low: float | None
    high: float | None
    within: float


@dataclass(frozen=True)
class Coverage:
    """The answer of `advisor coverage`; ``measured``: repository → metric → measurement."""

    as_of: date
    route: Route
    repositories: tuple[str, ...]
    cells: tuple[Cell, ...]
    sides: tuple[Side, ...]
    measured: dict[str, dict[str, Measurement]]


def read_coverage(question: Question, route: Route = "main", vendor: str | None = None) -> Coverage:
    """Read the model coverage of the candidates from the facts.

    Args:
        question: candidates, facts and as-of date.
        route: what counts. ``main``: what the libraries' own code names or their own files show, as in the
            score. ``shown``: what their own files show. ``any``: also what they only load.
        vendor: the vendor whose models the vendor gap compares with the others'; None: each backer's own.

    Raises:
        UnknownName: the facts do not name this vendor.
        FactsError: the facts are damaged, or they hold no model coverage.
    """
    facts = question.facts.select(c.repository for c in question.candidates)
    cells = read_cells(facts, route)
    vendors = sorted({c.vendor for c in cells})
    if vendor is not None:
        vendor = find_name("vendor", vendor, vendors)
    repositories = {c.repository for c in cells}
    return Coverage(
        facts.as_of,
        route,
        tuple(n for n in facts.repositories if n in repositories),
        cells,
        _read_sides(facts, route, vendor),
        _measure_spread(facts, route),
    )


def _read_sides(facts: FactsView, route: Route, vendor: str | None) -> tuple[Side, ...]:
    rows = _read_cached_rows(facts, "sides") if route == "main" and vendor is None else None
    if rows is None:
        rows = _query_sides(open_metric_views(facts), route, vendor)
    return tuple(Side(**row) for row in rows)


def _measure_spread(facts: FactsView, route: Route) -> dict[str, dict[str, Measurement]]:
    snapshot = months.read(facts) if route == "main" else None
    if snapshot is None:
        return measure_view(facts, {name: _restrict(METRICS[name], route) for name in SPREAD})
    return {r: {name: rows[name] for name in SPREAD} for r, rows in snapshot.measurements.items()}


def read_cells(facts: FactsView, route: Route = "main") -> tuple[Cell, ...]:
    """Read which families each library supports, and since when.

    Raises:
        FactsError: the facts are damaged, or they hold no model coverage.
    """
    if facts.damages:
        raise FactsError("; ".join(map(str, facts.damages)))
    rows = _read_cached_rows(facts, "cells") if route == "main" else None
    if rows is None:
        rows = _rows(open_metric_views(facts), _CELLS.format(**_choice(route)))
    cells = tuple(Cell(**row) for row in rows)
    if not cells:
        raise FactsError(
            f"{facts.store.path} holds no model coverage as of {facts.as_of}; run `advisor collect-support`"
        )
    return cells


def keep_coverage(facts: FactsView) -> dict[str, Any]:
    """Return what `read_coverage` reads without options, as values for the entry ``coverage.json``."""
    choice, db = _choice("main"), open_metric_views(facts)
    return {
        "cells": _rows(db, _CELLS.format(**choice)),
        "sides": _query_sides(db, "main", None),
    }


def _read_cached_rows(facts: FactsView, name: str) -> list[dict[str, Any]] | None:
    """Read the rows of intact repositories of ``coverage.json`` in `advisor.measure.months`."""
    content = months.read_entry(facts.store, ENTRY) if facts.as_of == facts.store.as_of else None
    if content is None:
        return None
    names = set(facts.intact_repositories)
    return [
        {k: date.fromisoformat(v) if k in _DATES and v else v for k, v in row.items()}
        for row in content[name]
        if row["repository"] in names
    ]


def _query_sides(db: Any, route: Route, vendor: str | None) -> list[dict[str, Any]]:
    # No parameters: for a parameter duckdb imports pandas, which takes longer than the query.
    whose = "NULL" if vendor is None else quote(vendor)
    return _rows(db, _SIDES.format(**_choice(route), vendor=whose))


def _rows(db: Any, sql: str) -> list[dict[str, Any]]:
    result = db.execute(sql)
    columns = [d[0] for d in result.description]
    return [dict(zip(columns, row, strict=True)) for row in fetch_rows(result)]


def _restrict(metric: Metric, route: Route) -> Metric:
    """Return the metric over the support by these routes."""
    return replace(metric, sql=re.sub(r"\bfamily_support\b", _ROUTES[route][1], metric.sql))


def _choice(route: Route) -> dict[str, str]:
    """Return two pieces of SQL: the condition for the rows of the route, and one row for each family."""
    routes, support = _ROUTES[route]
    return {"routes": routes, "support": support}


_ROUTES: dict[Route, tuple[str, str]] = {
    "any": ("route <> 'package'", "any_family_support"),
    "main": ("route IN ('main', 'shown')", "family_support"),
    "shown": ("route = 'shown'", "shown_family_support"),
}

_CELLS = """
WITH first_commits AS (SELECT repository, min(day) AS day FROM contributions GROUP BY repository),
levels AS (
    SELECT repository, family, CASE WHEN bool_or(route = 'shown') THEN 'shown'
           WHEN bool_or(route = 'main') THEN 'named' ELSE 'loads' END AS level
    FROM model_support WHERE route <> 'package' AND supported_on IS NOT NULL AND removed_on IS NULL
    GROUP BY repository, family
),
best AS (
    SELECT *, count(*) FILTER (supported_on IS NOT NULL AND removed_on IS NULL) OVER w > 0 AS is_supported
    FROM model_support WHERE {routes} WINDOW w AS (PARTITION BY repository, family)
    QUALIFY row_number() OVER (PARTITION BY repository, family ORDER BY supported_on NULLS LAST, route) = 1
),
packages_with_support AS (
    SELECT repository, family, supported_on AS packaged_on, evidence_commit AS package
    FROM model_support WHERE route = 'package'
)
SELECT b.repository, b.family, b.vendor, b.family_released_on AS released_on, b.supported_on,
       CASE WHEN NOT is_supported THEN b.removed_on END AS removed_on,
       greatest(0, b.supported_on - b.family_released_on) AS days,
       coalesce(b.family_released_on < f.day, false) AS was_older,
       CASE WHEN b.supported_on IS NOT NULL THEN b.route END AS route, evidence_name AS name,
       evidence_path AS path, evidence_commit AS commit, b.source, p.package, p.packaged_on, l.level
FROM best AS b LEFT JOIN levels AS l ON b.repository = l.repository AND b.family = l.family
     LEFT JOIN first_commits AS f ON b.repository = f.repository
     LEFT JOIN packages_with_support AS p ON b.repository = p.repository AND b.family = p.family
ORDER BY released_on, b.family, b.repository
"""

_SIDES = (
    "WITH "
    + support_spans("{support}")
    + """,
    sided AS (
        SELECT f.*, coalesce({vendor}, backer_vendor) AS whose FROM family_spans AS f
        LEFT JOIN backers ON lower(split_part(f.repository, '/', 1)) = owner
    ),
    spans AS (
        SELECT repository,
               CASE WHEN whose IS NULL THEN 'all' WHEN vendor = whose THEN whose ELSE 'others' END AS vendors,
               whose IS NULL OR vendor = whose AS is_first, days, is_event
        FROM sided
    ),
    """
    + medians("repository, vendors, is_first")
    + """
    SELECT repository, vendors, n AS families, events AS supported, median, low, high, within
    FROM medians ORDER BY lower(repository), NOT is_first
    """
)
