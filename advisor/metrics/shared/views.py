"""Views that several metrics start from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from advisor.metrics.shared.affiliation import AFFILIATED, BACKED
from advisor.metrics.shared.attention import PLACED

# Views over the as-of views: what several metrics would otherwise all begin with.
DERIVED: Mapping[str, str] = {
    # what people opened in the last year
    "recent_threads": (
        "SELECT repository, kind, source, opened_at, closed_at, closed_by, merged_at, first_response_at,"
        " responses_seen FROM threads WHERE NOT is_bot AND opened_at::DATE > $as_of - 365"
    ),
    # totals of the last two years and a half: growth reaches back 485 days from a total of 400 days ago
    "recent_counts": (
        "SELECT repository, day, metric, value, low, high, source FROM counts WHERE day > $as_of - 900"
    ),
    # the repositories whose owner is a known backer
    "backed": BACKED,
    # what people did, with the organisation that each of them was last seen with
    "affiliated": AFFILIATED,
    # where a repository's figures stand among those of the reference population
    "placed": PLACED,
    # one row a family: the first day by any route but the package's, and whether one still holds
    "family_support": (
        "SELECT repository, family, any_value(vendor) AS vendor,"
        "  min(family_released_on) AS family_released_on, min(supported_on) AS supported_on,"
        "  bool_or(supported_on IS NOT NULL AND removed_on IS NULL) AS is_supported,"
        "  max(known_until) AS known_until, list(DISTINCT source) AS sources"
        " FROM model_support WHERE route <> 'package' GROUP BY repository, family"
    ),
}


def derived_views(day: date) -> Iterator[tuple[str, str]]:
    """Name and SQL of the views over the as-of views of a day."""
    for name, text in DERIVED.items():
        yield name, text.replace("$as_of", f"DATE '{day.isoformat()}'")
