"""Which library supports which model family since when, and how much that favours its backer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from advisor.answers.question import Question
from advisor.errors import FactsError, UnknownName
from advisor.facts.facts_view import FactsView
from advisor.measure.one_day import measure_view, open_metric_views
from advisor.metrics import METRICS
from advisor.metrics.shared.survival import medians, support_spans
from advisor.model import Measurement

Route = Literal["any", "main"]
SPREAD = ("model_families", "model_vendors", "effective_vendors", "own_model_share", "vendor_gap")


@dataclass(frozen=True)
class Cell:
    """One family in one library.

    Attributes:
        supported_on: first day by the asked route; None: not by the as-of date.
        removed_on: the day on which it was given up again.
        days: from the release of the weights; 0 if it was there before; None if never.
        was_older: whether the weights are older than the library.
        route: by which it came first: ``main`` or ``transformers``.
        name, path, commit, source: what shows it.
        package, packaged_on: the first release on the package index that holds it.
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


@dataclass(frozen=True)
class Side:
    """One side of the vendor gap: families that came after the library.

    ``median``, ``low`` and ``high`` in days (Kaplan-Meier, 95 %); None: the curve never falls so far.
    ``within`` is the share supported after 90 days.
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
    """The answer of `advisor coverage`."""

    as_of: date
    route: Route
    repositories: tuple[str, ...]
    cells: tuple[Cell, ...]
    sides: tuple[Side, ...]
    measured: dict[str, dict[str, Measurement]]


def read_coverage(question: Question, route: Route = "any", vendor: str | None = None) -> Coverage:
    """Read the model coverage of the candidates from the facts.

    Args:
        question: candidates, facts and as-of date.
        route: ``any``, or ``main`` for what the libraries' own code names.
        vendor: the vendor whose models the vendor gap compares with the others'; None: each backer's own.

    Raises:
        UnknownName: the facts do not name this vendor.
        FactsError: the facts are damaged, or they hold no model coverage.
    """
    facts = question.facts.select(c.repository for c in question.candidates)
    cells = read_cells(facts, route)
    vendors = sorted({c.vendor for c in cells})
    if vendor is not None and vendor not in vendors:
        raise UnknownName("vendor", vendor, vendors)
    sides = _rows(open_metric_views(facts), _SIDES.format(**_choice(route)), {"vendor": vendor})
    repositories = {c.repository for c in cells}
    return Coverage(
        facts.as_of,
        route,
        tuple(n for n in facts.repositories if n in repositories),
        cells,
        tuple(Side(**row) for row in sides),
        measure_view(facts, {name: METRICS[name] for name in SPREAD}),
    )


def read_cells(facts: FactsView, route: Route = "any") -> tuple[Cell, ...]:
    """Read which families each library supports, and since when.

    Raises:
        FactsError: the facts are damaged, or they hold no model coverage.
    """
    if facts.damages:
        raise FactsError("; ".join(map(str, facts.damages)))
    cells = tuple(Cell(**row) for row in _rows(open_metric_views(facts), _CELLS.format(**_choice(route))))
    if not cells:
        raise FactsError(
            f"{facts.store.path} holds no model coverage as of {facts.as_of}; run `advisor collect-support`"
        )
    return cells


def _rows(db: Any, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    result = db.execute(sql, parameters or {})
    columns = [d[0] for d in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _choice(route: Route) -> dict[str, str]:
    """Both as SQL: the routes' rows, and one row a family made of them."""
    if route == "any":
        return {"routes": "route <> 'package'", "support": "family_support"}
    families = (
        "(SELECT repository, family, vendor, family_released_on, supported_on, known_until"
        " FROM model_support WHERE route = 'main')"
    )
    return {"routes": "route = 'main'", "support": families}


_CELLS = """
WITH born AS (SELECT repository, min(day) AS day FROM contributions GROUP BY repository),
best AS (
    SELECT *, count(*) FILTER (supported_on IS NOT NULL AND removed_on IS NULL) OVER w > 0 AS holds
    FROM model_support WHERE {routes} WINDOW w AS (PARTITION BY repository, family)
    QUALIFY row_number() OVER (PARTITION BY repository, family ORDER BY supported_on NULLS LAST, route) = 1
),
packaged AS (
    SELECT repository, family, supported_on AS packaged_on, evidence_commit AS package
    FROM model_support WHERE route = 'package'
)
SELECT b.repository, b.family, b.vendor, b.family_released_on AS released_on, b.supported_on,
       CASE WHEN NOT holds THEN b.removed_on END AS removed_on,
       greatest(0, b.supported_on - b.family_released_on) AS days,
       coalesce(b.family_released_on < born.day, false) AS was_older,
       CASE WHEN b.supported_on IS NOT NULL THEN b.route END AS route, evidence_name AS name,
       evidence_path AS path, evidence_commit AS commit, b.source, p.package, p.packaged_on
FROM best AS b LEFT JOIN born ON b.repository = born.repository
     LEFT JOIN packaged AS p ON b.repository = p.repository AND b.family = p.family
ORDER BY released_on, b.family, b.repository
"""

_SIDES = (
    "WITH "
    + support_spans("{support}")
    + """,
    sided AS (
        SELECT f.*, coalesce($vendor, backer_vendor) AS whose FROM family_spans AS f
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
