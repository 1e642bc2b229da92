"""Which library supports which model family since when, and how much that favours its backer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from advisor.answers import question
from advisor.errors import FactsError, UnknownName
from advisor.facts import reading
from advisor.measure.one_day import connect, measure
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


@dataclass(frozen=True)
class Request:
    """What a user may decide.

    Attributes:
        domain, repositories, as_of, store: as for a ranking.
        route: ``any``, or ``main`` for what the libraries' own code names.
        vendor: whose models stand against the others' in the vendor gap; None: each backer's own.
    """

    domain: str = "finetuning"
    repositories: tuple[str, ...] = ()
    as_of: date | None = None
    store: Path | None = None
    route: Route = "any"
    vendor: str | None = None


def coverage(request: Request) -> Coverage:
    """Read the model coverage of a domain's candidates from the facts.

    Raises:
        InputError: something in the request is unknown or out of range.
        FactsError: the facts are damaged, or there are none of model coverage.
    """
    asked = question.read_request(
        question.Request(
            domain=request.domain,
            repositories=request.repositories,
            as_of=request.as_of,
            store=request.store,
        )
    )
    store, as_of = asked.store, asked.as_of
    names = [c.repository for c in asked.candidates]
    damages = reading.verify(store, names)
    if damages:
        raise FactsError("; ".join(map(str, damages)))
    with connect(store, names, as_of) as db:
        cells = tuple(Cell(**row) for row in _rows(db, _CELLS.format(**_choice(request.route))))
        if not cells:
            raise FactsError(
                f"{store.path} holds no model coverage by {as_of}; run `advisor collect-support`"
            )
        vendors = sorted({c.vendor for c in cells})
        if request.vendor is not None and request.vendor not in vendors:
            raise UnknownName("vendor", request.vendor, vendors)
        sides = tuple(
            Side(**row)
            for row in _rows(db, _SIDES.format(**_choice(request.route)), {"vendor": request.vendor})
        )
    measured, _ = measure(store, names, as_of, {name: METRICS[name] for name in SPREAD})
    known = {c.repository for c in cells}
    return Coverage(as_of, request.route, tuple(n for n in names if n in known), cells, sides, measured)


def _rows(db: Any, sql: str, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    result = db.execute(sql, given or {})
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
        SELECT f.*, coalesce($vendor, backer_vendor) AS whose FROM followed AS f
        LEFT JOIN backers ON lower(split_part(f.repository, '/', 1)) = owner
    ),
    spans AS (
        SELECT repository,
               CASE WHEN whose IS NULL THEN 'all' WHEN vendor = whose THEN whose ELSE 'others' END AS vendors,
               whose IS NULL OR vendor = whose AS is_first, days, happened
        FROM sided
    ),
    """
    + medians("repository, vendors, is_first")
    + """
    SELECT repository, vendors, n AS families, events AS supported, median, low, high, within
    FROM medians ORDER BY lower(repository), NOT is_first
    """
)
